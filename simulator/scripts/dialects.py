"""Other servers, by name: what their events look like, and the named answers that show what they do.

Each was seen in recorded streams. `sim:deepseek`, `sim:kimi` and `sim:xai` differ in what they say; the
others are the original's answer in another form.
"""

from simulator.scripts import hosted
from simulator.scripts.catalog import named, report
from simulator.scripts.steps import Call, Content, Dialect, Fail, Reason, Say, Script
from simulator.scripts.turn import Turn

DIALECTS = {
    "original": Dialect(),
    "llama_cpp": Dialect(sequence=False, index=False, ends_last=True, named_by_call=True),
    "copilot": Dialect(rotating_ids=True),
    "deepseek": Dialect(sealed=False),
    "vllm": Dialect(renamed_output=True),
    "stale": Dialect(stale_output=True),
    "odd": Dialect(odd_fields=True),
    "whole_items": Dialect(between="whole_items"),
    "end_alone": Dialect(between="nothing"),
}


@named
def llama_cpp(turn: Turn) -> Script:
    """No index anywhere, and everything ends at the very end."""
    return Script(*_checked(turn), dialect=DIALECTS["llama_cpp"])


@named
def copilot(turn: Turn) -> Script:
    """Every event has new ids, of the items and of the response; only the index holds."""
    return Script(*_checked(turn), dialect=DIALECTS["copilot"])


@named
def vllm(turn: Turn) -> Script:
    """The last event has other ids than the stream."""
    return Script(*_checked(turn), dialect=DIALECTS["vllm"])


@named
def stale(turn: Turn) -> Script:
    """The last event holds an older state of the calls."""
    return Script(*_checked(turn), dialect=DIALECTS["stale"])


@named
def whole_items(turn: Turn) -> Script:
    """No deltas and no beginnings: each item comes whole."""
    return Script(*_checked(turn), dialect=DIALECTS["whole_items"])


@named
def end_alone(turn: Turn) -> Script:
    """Nothing between the beginning and the end, which holds everything."""
    return Script(*_checked(turn), dialect=DIALECTS["end_alone"])


@named
def odd(turn: Turn) -> Script:
    """Numbers as text, usage out of range, arguments as an object."""
    return Script(*_checked(turn), dialect=DIALECTS["odd"])


@named
def deepseek(turn: Turn) -> Script:
    """Thoughts as plain text, without a seal; a tool result whose call lost its thought is refused."""
    if turn.results and not _thought_came_back(turn):
        message = "The `reasoning_content` in the thinking mode must be passed back to the API."
        return Script(Fail(message, "invalid_request_error", 400, "invalid_request_error"))
    return Script(Reason(text="First look it up."), *_checked(turn), dialect=DIALECTS["deepseek"])


@named
def kimi(turn: Turn) -> Script:
    """Two parallel calls with one `call_id`."""
    return Script(*_checked(turn, "lookup:0"))


@named
def xai(turn: Turn) -> Script:
    """Two thoughts with one id, around a search."""
    first, second = (Reason((summary,), item_id="rs_twin") for summary in ("Search.", "Found."))
    return Script(first, hosted.web_search("tides"), second, Say(report(turn)))


def _checked(turn: Turn, call_id: str | None = None) -> tuple[Content, ...]:
    """A text and two parallel calls, and after their results a text."""
    if turn.results:
        return (Say(report(turn)),)
    name = str(turn.function["name"]) if turn.function else "lookup"
    calls = (Call(name, f'{{"city": "{city}"}}', call_id) for city in ("Lima", "Oslo"))
    return (Say("I will check."), *calls)


def _thought_came_back(turn: Turn) -> bool:
    """Whether the call that was answered last stands after reasoning with its text."""
    items = [*turn.known, *turn.new]
    last = max(number for number, item in enumerate(items) if item.get("type") == "function_call")
    since = max((number for number, item in enumerate(items[:last]) if item.get("role") == "user"), default=0)
    return any(item.get("type") == "reasoning" and item.get("content") for item in items[since:last])
