"""Rewrite an event into the dialect of another server: the same content in another form."""

from simulator.errors import Json
from simulator.scripts.steps import Dialect

ORIGINAL = Dialect()


def translate(event: Json, dialect: Dialect) -> Json:
    """Return the event as a server of this dialect sends it; the event itself is not changed."""
    if dialect == ORIGINAL:
        return event
    changed = dict(event)
    if not dialect.sequence:
        changed.pop("sequence_number", None)
    if "response" in changed:
        changed["response"] = _response(changed["response"], dialect)
    if dialect.done_alias and changed["type"] == "response.completed":
        changed["type"] = "response.done"
    return changed


def _response(response: Json, dialect: Dialect) -> Json:
    changed = dict(response)
    if not dialect.output:
        changed["output"] = []
    if dialect.usage_alias and changed.get("usage"):
        changed["usage"] = _usage(changed["usage"])
    return changed


def _usage(usage: Json) -> Json:
    """Return the usage under the names of the older chat API, without details."""
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "input_tokens_details": None,
        "output_tokens_details": None,
    }
