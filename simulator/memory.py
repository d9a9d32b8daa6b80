"""Remember earlier responses, so that `previous_response_id` can continue them.

A connection remembers one response, its latest, and forgets it when a continuation of it fails:
clients have to cope with both. A response created with `store: true` is known to every connection.
Cached tokens are those of the connection's latest prompt, or of the latest one with this `prompt_cache_key`.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from simulator import errors, pairing
from simulator.errors import Json
from simulator.pairing import Call

BYTES_PER_TOKEN = 4
COMPACTIONS = frozenset({"compaction", "compaction_summary"})
SEAL_OF_WINDOW = "gAAAAwindow"
"""How the seals of `POST /v1/responses/compact` begin. What stands before such an item was kept on purpose;
any other stands for all that is before it.
"""
_PROVIDER_ONLY = frozenset(
    {"id", "status", "phase", "annotations", "logprobs", "type", "caller", "namespace"}
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a context. Two items with the same content have the same `key`."""

    item: Json
    key: bytes
    tokens: int

    @classmethod
    def of(cls, item: Json) -> "Entry":
        key = msgspec.json.encode([item.get("type", "message"), _canonical(item)], order="sorted")
        return cls(item, key, tokens_of(key))


@dataclass(frozen=True, slots=True)
class Context:
    """All items of a conversation up to the end of one response.

    `compacts`: a compaction is among them, in which calls may be hidden.
    """

    entries: tuple[Entry, ...] = ()
    calls: frozenset[Call] = frozenset()
    answered: frozenset[Call] = frozenset()
    compacts: bool = False

    def extended(self, items: Iterable[Json]) -> "Context":
        """Return the context with these items added. Raises ApiError for an output without its call."""
        entries, calls, answered = [], set(self.calls), set(self.answered)
        compacts = self.compacts
        for item in items:
            entries.append(Entry.of(item))
            compacts = compacts or item.get("type") in COMPACTIONS
            call, answer = pairing.call_of(item), pairing.answered_by(item)
            if call is not None:
                calls.add(call)
            if answer is not None:
                if answer not in calls and not compacts:
                    raise pairing.orphan(answer)
                answered.add(answer)
        return Context(self.entries + tuple(entries), frozenset(calls), frozenset(answered), compacts)

    def compacted(self) -> "Context":
        """Return the context without what its latest compaction stands for."""
        found = [number for number, entry in enumerate(self.entries) if _replaces(entry.item)]
        return replace(self, entries=self.entries[found[-1] :]) if found else self

    def refuse_unanswered_calls(self) -> None:
        open_calls = self.calls - self.answered
        if open_calls:
            raise pairing.unanswered(min(open_calls))

    def repeats(self, items: Iterable[Json]) -> int:
        """Count the items whose content this context already holds."""
        known = {entry.key for entry in self.entries}
        return sum(Entry.of(item).key in known for item in items)

    @property
    def tokens(self) -> int:
        return sum(entry.tokens for entry in self.entries)

    def shared_tokens(self, other: "Context") -> int:
        """Count the tokens of the common beginning of two contexts."""
        total = 0
        for mine, theirs in zip(self.entries, other.entries, strict=False):
            if mine.key != theirs.key:
                break
            total += mine.tokens
        return total

    def __len__(self) -> int:
        return len(self.entries)


@dataclass(frozen=True, slots=True)
class Remembered:
    """A response that can be continued.

    `preamble` is the part of the prompt before the items: model, instructions, tools.
    """

    response_id: str
    context: Context
    preamble: bytes

    def cached_tokens(self, context: Context, preamble: bytes) -> int:
        """Count the cached tokens of a prompt; a changed preamble (one tool is enough) empties the cache."""
        if preamble != self.preamble:
            return 0
        return tokens_of(preamble) + self.context.shared_tokens(context)


class Slot:
    """The cache of one connection: its latest response and nothing else."""

    def __init__(self) -> None:
        self.latest: Remembered | None = None

    def find(self, response_id: str) -> Context | None:
        if self.latest is not None and self.latest.response_id == response_id:
            return self.latest.context
        return None

    def evict(self, response_id: str | None) -> None:
        """Forget this response: its continuation has failed."""
        if self.latest is not None and self.latest.response_id == response_id:
            self.latest = None


class Store:
    """Responses created with `store: true`, for every connection, the oldest forgotten first."""

    def __init__(self) -> None:
        self._responses: OrderedDict[str, tuple[Context, list[str]]] = OrderedDict()
        self._thoughts: dict[str, str | None] = {}

    def keep(self, response_id: str, context: Context, output: Iterable[Json], limit: int) -> None:
        """Keep a response: its context, and which of its items followed which thought."""
        ids: list[str] = []
        thought: str | None = None
        for item in output:
            item_id = item.get("id", "")
            self._thoughts[item_id] = thought
            ids.append(item_id)
            thought = item_id if item["type"] == "reasoning" else None
        self._responses[response_id] = context, ids
        while len(self._responses) > limit:
            _, (_, forgotten) = self._responses.popitem(last=False)
            for item_id in forgotten:
                self._thoughts.pop(item_id, None)

    def find(self, response_id: str) -> Context | None:
        found = self._responses.get(response_id)
        return found[0] if found else None

    def knows(self, item_id: str) -> bool:
        return item_id in self._thoughts

    def thought_of(self, item_id: str) -> str | None:
        """Return the id of the reasoning item that led to this item, if one did."""
        return self._thoughts.get(item_id)

    def item(self, item_id: str) -> Json:
        for context, _ in reversed(self._responses.values()):
            for entry in context.entries:
                if entry.item.get("id") == item_id:
                    return entry.item
        raise errors.item_not_found(item_id)


class PromptCache:
    """The latest prompt of each `prompt_cache_key`, for every connection, the oldest forgotten first."""

    def __init__(self) -> None:
        self._prompts: OrderedDict[str, Remembered] = OrderedDict()

    def find(self, key: str | None) -> Remembered | None:
        return self._prompts.get(key) if key else None

    def keep(self, key: str | None, prompt: Remembered, limit: int) -> None:
        if not key:
            return
        self._prompts[key] = prompt
        self._prompts.move_to_end(key)
        while len(self._prompts) > limit:
            self._prompts.popitem(last=False)


def recall(response_id: str | None, slot: Slot, store: Store) -> Context:
    """Return the context to continue, from the connection or else from the store. Raises ApiError."""
    if response_id is None:
        return Context()
    context = slot.find(response_id)
    if context is None:
        context = store.find(response_id)
    if context is None:
        raise errors.response_not_found(response_id)
    return context


def _replaces(item: Json) -> bool:
    sealed = str(item.get("encrypted_content", ""))
    return item.get("type") in COMPACTIONS and not sealed.startswith(SEAL_OF_WINDOW)


def tokens_of(data: bytes) -> int:
    return -(-len(data) // BYTES_PER_TOKEN)


def _canonical(item: Json) -> Json:
    fields = {name: value for name, value in item.items() if name not in _PROVIDER_ONLY and value is not None}
    content = fields.get("content")
    if isinstance(content, str):
        fields["content"] = [[content]]
    elif isinstance(content, list):
        fields["content"] = [_canonical_part(part) for part in content]
    return fields


def _canonical_part(part: Json) -> list[Any]:
    return [value for name, value in sorted(part.items()) if name not in _PROVIDER_ONLY and value is not None]
