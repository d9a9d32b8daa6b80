"""How other servers' events differ from the original's.

Owns the rewriting of one event into a dialect. It must never change what was said, only how.
"""

from simulator.errors import Json
from simulator.scripts.steps import Dialect

ORIGINAL = Dialect()


def spoken(event: Json, dialect: Dialect) -> Json:
    """The event as a server of this dialect sends it."""
    if dialect == ORIGINAL:
        return event
    said = dict(event)
    if not dialect.sequence:
        said.pop("sequence_number", None)
    if "response" in said:
        said["response"] = _response(said["response"], dialect)
    if dialect.done_alias and said["type"] == "response.completed":
        said["type"] = "response.done"
    return said


def _response(response: Json, dialect: Dialect) -> Json:
    said = dict(response)
    if not dialect.output:
        said["output"] = []
    if dialect.usage_alias and said.get("usage"):
        said["usage"] = _usage(said["usage"])
    return said


def _usage(usage: Json) -> Json:
    """The names of the older chat API, with nothing known about the details."""
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "input_tokens_details": None,
        "output_tokens_details": None,
    }
