"""What must stand together in an input: the output of a tool with its call, a thought with what followed it.

The upstream refuses the half of a pair. Three rules concern reasoning items that have an id; one without
an id is taken as it is.

1. Something that the model wrote follows it, since the thought led there.
2. Where responses are stored (`store: true`), what follows has its id as well.
3. Where responses are stored, an item that followed a thought is not sent without that thought.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator import errors
from simulator.errors import ApiError, Json

Call = tuple[str, str]
"""The type of a call, and its id."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A type of call: the field that identifies it, and the fields of its output that may do so."""

    call: str
    noun: str
    identified_by: str = "call_id"
    answered_by: tuple[str, ...] = ("call_id",)


APPROVAL = "mcp_approval_request"
_PAIRS = {
    "function_call_output": Pair("function_call", "function call"),
    "custom_tool_call_output": Pair("custom_tool_call", "custom tool call"),
    "computer_call_output": Pair("computer_call", "computer call"),
    "shell_call_output": Pair("shell_call", "shell call"),
    "local_shell_call_output": Pair("local_shell_call", "local shell call", answered_by=("call_id", "id")),
    "apply_patch_call_output": Pair("apply_patch_call", "apply patch call"),
    "tool_search_output": Pair("tool_search_call", "tool search call"),
    "mcp_approval_response": Pair(APPROVAL, "approval request", "id", ("approval_request_id",)),
}
"""By the type of the output."""

_BY_CALL = {pair.call: pair for pair in _PAIRS.values()}
ANSWERS = frozenset(_PAIRS)
"""The types of items with which a caller answers a call."""

_FROM_THE_CALLER = ANSWERS | {"configuration_update", "additional_tools", "compaction_trigger"}


def call_of(item: Json) -> Call | None:
    """Return the call that this item is, if an output must follow. One that was cut off needs none."""
    pair = _BY_CALL.get(item.get("type", ""))
    if pair is None or item.get("status") == "incomplete":
        return None
    found = item.get(pair.identified_by)
    return (pair.call, found) if found else None


def answered_by(item: Json) -> Call | None:
    """Return the call that this item answers."""
    pair = _PAIRS.get(item.get("type", ""))
    if pair is None:
        return None
    found = next((item[name] for name in pair.answered_by if item.get(name)), None)
    return (pair.call, found) if found else None


def orphan(call: Call) -> ApiError:
    kind, call_id = call
    return (
        errors.no_approval_request(call_id)
        if kind == APPROVAL
        else errors.orphan_output(call_id, _noun(kind))
    )


def unanswered(call: Call) -> ApiError:
    kind, call_id = call
    return errors.no_approval(call_id) if kind == APPROVAL else errors.unanswered_call(call_id, _noun(kind))


def check_reasoning(
    items: Sequence[Json],
    *,
    stored: bool,
    known: Callable[[str], bool],
    thought_of: Callable[[str], str | None],
) -> None:
    """Check the three rules above.

    `known` says whether an item of this id is stored; `thought_of` returns the id of the reasoning item that
    led to an item. Raises ApiError.
    """
    before: str | None = None
    for item, following in itertools.zip_longest(items, items[1:]):
        item_id = item.get("id")
        if item.get("type") == "reasoning" and item_id:
            if stored and not item.get("encrypted_content") and not known(item_id):
                raise errors.item_not_found(item_id)
            if following is None or not _by_the_model(following) or (stored and not following.get("id")):
                raise errors.nothing_follows(item_id)
        elif stored and item_id:
            thought = thought_of(item_id)
            if thought not in (None, before):
                raise errors.without_reasoning(item_id, item.get("type", "message"), str(thought))
        before = item_id


def _noun(kind: str) -> str:
    return _BY_CALL[kind].noun


def _by_the_model(item: Json) -> bool:
    kind = item.get("type", "message")
    return kind not in _FROM_THE_CALLER and (kind != "message" or item.get("role") == "assistant")
