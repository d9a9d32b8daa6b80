"""The named failures that `sim:NAME(…)` asks for: errors, broken connections, what few clients expect.

`at` is the point of the answer at which one happens: before its first event, after `response.created`,
or after some content.
"""

from typing import Literal

from simulator import errors
from simulator.errors import Json
from simulator.scripts import faults
from simulator.scripts.catalog import named, report
from simulator.scripts.faults import Close, Drop, End, Garbage, Hang, Page
from simulator.scripts.steps import (
    Complete,
    Dialect,
    Emit,
    Fail,
    Framing,
    Pace,
    Say,
    Script,
    Shape,
    Start,
    Step,
    Wait,
)
from simulator.scripts.turn import Turn

At = Literal["start", "created", "content"]
_GARBAGE = {
    "not_json": faults.NOT_JSON,
    "not_an_object": faults.NOT_AN_OBJECT,
    "no_type": faults.NO_TYPE,
    "binary": faults.BINARY,
    "bad_utf8": faults.BAD_UTF8,
    "bad_frame": faults.BAD_FRAME,
}
_PING = b"\x89\x00"
"""A WebSocket frame: FIN, PING, no payload."""
GarbageKind = Literal["not_json", "not_an_object", "no_type", "binary", "bad_utf8", "bad_frame"]


def until(at: At) -> tuple[Step, ...]:
    """Return the steps of an answer that come before its failure."""
    if at == "start":
        return ()
    return (Start(),) if at == "created" else (Say("Half of an answer, and then", closed=False),)


@named
def fail(
    turn: Turn,
    *,
    code: str = "server_error",
    message: str = "The server had an error while processing your request.",
    status: int = 500,
    kind: str = "",
    param: str | None = None,
    at: At = "start",
    shape: Shape = "natural",
    retry_after: str = "",
) -> Script:
    """An error of this code, HTTP status and shape, with a delay (`retry-after`) where one is given."""
    kind = kind or ("invalid_request_error" if status < 500 else "server_error")
    headers = {"retry-after": retry_after} if retry_after else {}
    return Script(*until(at), Fail(message, code, status, kind, param, headers, shape))


@named
def drop(turn: Turn, at: At = "content", reset: bool = True) -> Script:
    """The connection is lost: by a reset, or without one."""
    return Script(*until(at), Drop(reset))


@named
def close(turn: Turn, code: int = 1011, reason: str = "", at: At = "content") -> Script:
    """A close frame; over HTTP the connection ends in mid-stream."""
    return Script(*until(at), Close(code, reason))


@named
def eof(turn: Turn, at: At = "content") -> Script:
    """The stream ends properly, but before the end of the response."""
    return Script(*until(at), End())


@named
def hang(turn: Turn, at: At = "start", pongs: bool = True, reads: bool = True) -> Script:
    """Nothing more comes; without `pongs` no ping is answered, without `reads` nothing is read."""
    return Script(*until(at), Hang(pongs, reads))


@named
def garbage(turn: Turn, kind: GarbageKind = "not_json", at: At = "content") -> Script:
    """What no upstream should send."""
    return Script(*until(at), _GARBAGE[kind])


@named
def page(turn: Turn, status: int = 502) -> Script:
    """A page of HTML with this status, as a proxy answers; on a WebSocket, close 1011."""
    return Script(Page(status))


@named
def expired(turn: Turn, at: At = "start") -> Script:
    """The 60-minute limit, reached by a request instead of by an idle connection."""
    limit = errors.connection_limit(60)
    fail = Fail(limit.message, limit.code, limit.status, limit.kind, shape="nested")
    return Script(*until(at), fail, Close(1000))


@named
def drip(turn: Turn, delay_ms: float = 20.0) -> Script:
    """One character at a time."""
    return Script(Pace(1, delay_ms / 1000), Say(report(turn)))


@named
def foreign(turn: Turn) -> Script:
    """Two other responses between our own events, which only their beginnings and ends name."""
    place = {"output_index": 0, "content_index": 0, "logprobs": [], "delta": "NOT FOR YOU"}
    delta = {"type": "response.output_text.delta", "sequence_number": 7, **place}
    begun = {"type": "response.created", "sequence_number": 6}
    ended = {"type": "response.completed", "sequence_number": 9}
    other: Json = {"id": "resp_foreign", "object": "response", "status": "completed", "output": []}
    lane = {"stream_id": "other"}
    return Script(
        Say("First.", "commentary"),
        Emit({**begun, "response": other}),
        Emit({**delta, "item_id": "msg_foreign"}),
        Emit({**ended, "response": other}),
        Emit({**begun, "response": other, **lane}),
        Emit({**delta, "item_id": "msg_foreign", **lane}),
        Emit({**ended, "response": other, **lane}),
        Say("Second.", "final_answer"),
    )


@named
def unknown_events(turn: Turn) -> Script:
    """Events of types that no client knows, around and within a text."""
    return Script(
        Emit({"type": "codex.rate_limits", "rate_limits": {"primary": {"used_percent": 12}}}),
        Start(),
        Emit({"type": "response.metadata", "metadata": {"region": "nowhere"}}),
        Emit({"type": "response.telepathy.delta", "item_id": "tp_1", "delta": "~"}, numbered=True),
        Say(report(turn)),
        Emit({"type": "acme:trace", "span": 1}),
    )


@named
def rate_limits(turn: Turn, after_ms: float = 0.0) -> Script:
    """What the public API says after the end of an answer: on an idle connection, after a while."""
    limits = [{"name": "requests", "limit": 500, "remaining": 499, "reset_seconds": 0.12}]
    late = Emit({"type": "response.rate_limits.updated", "rate_limits": limits}, numbered=True)
    return Script(Say(report(turn)), Complete(), Wait(after_ms / 1000), late)


@named
def keepalive(turn: Turn, n: int = 3, every_ms: float = 10.0) -> Script:
    """Events that only say that the server is alive: before the answer, within it, and after its end."""
    beat = (Wait(every_ms / 1000), Emit({"type": "keepalive"}, numbered=True))
    return Script(*beat * n, Start(), *beat * n, Say(report(turn)), Complete(), *beat * n)


@named
def prefill(turn: Turn, n: int = 3, every_ms: float = 10.0) -> Script:
    """A long wait with signs of life that are no events: comments over HTTP, pings on a WebSocket."""
    sign = Garbage(b": keep-alive\n\n" if turn.transport == "http" else _PING, "raw")
    return Script(*(Wait(every_ms / 1000), sign) * n, Say(report(turn)))


@named
def no_sequence(turn: Turn) -> Script:
    """Events without numbers."""
    return Script(Say(report(turn)), dialect=Dialect(sequence=False))


@named
def empty_output(turn: Turn) -> Script:
    """The last event does not repeat the items."""
    return Script(Say(report(turn)), dialect=Dialect(output=False))


@named
def done_alias(turn: Turn) -> Script:
    """The last event is `response.done`."""
    return Script(Say(report(turn)), dialect=Dialect(done_alias=True))


@named
def usage_alias(turn: Turn) -> Script:
    """The usage under the names of the older chat API."""
    return Script(Say(report(turn)), dialect=Dialect(usage_alias=True))


@named
def late_text(turn: Turn, streamed: int = 0) -> Script:
    """Text that the deltas did not contain, or only in part."""
    return Script(Say(report(turn), streamed=streamed))


@named
def sse(
    turn: Turn,
    *,
    crlf: bool = False,
    comments: bool = False,
    done: bool = False,
    multiline: bool = False,
    chunk_bytes: int | None = None,
    last_blank_line: bool = True,
) -> Script:
    """Every variation that the event-stream format allows. A WebSocket shows none of them."""
    newline = "\r\n" if crlf else "\n"
    framing = Framing(newline, comments, done, multiline, chunk_bytes, last_blank_line)
    return Script(Say(f"{report(turn)} \u2028 naïve 你好"), framing=framing)
