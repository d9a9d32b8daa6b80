"""Decode one response: server events in, domain events out, alike over a WebSocket and over SSE.

A response has three states, and each event of the upstream moves it forward or not at all:

    waiting --(created, in_progress or queued)--> running --(completed, incomplete)--> finished: Completed
       |                                             |
       +-------(failed, error: TurnError)------------+-------------------------------> finished

- Waiting: a delta or an item is a PROTOCOL_ERROR. An end without a beginning is accepted; it begins the
  response first.
- Running: deltas grow the answer, `output_item.*` open and close its items, and `*.done` repeats a text as a
  whole (`output_assembler` decides where each belongs).
- Finished: the end repeats the whole output, which is merged into the answer. Later frames are counted only.

An example; each line is a frame, and after the arrow what it makes:

    response.created        response.id=resp_1            -> Started("resp_1", ...)
    output_item.added       index 0, message msg_1        ->
    output_text.delta       index 0, msg_1, "Hel"         -> TextDelta(0, "Hel")
    output_text.delta       index 0, msg_1, "lo"          -> TextDelta(0, "lo")
    output_text.done        index 0, msg_1, "Hello"       ->             (nothing is missing)
    output_item.added       index 1, function_call call_1 -> ToolCallDelta(1, "", "call_1", "add")
    function_call_arguments.delta  index 1, '{"a":1}'     -> ToolCallDelta(1, '{"a":1}', "call_1", "add")
    output_item.done        index 1, call_1               ->             (the call is whole)
    response.completed      usage, output                 -> Completed(message, TOOL_USE, ...)

The two text deltas become one when they arrive in one `feed`. An event of a type that is not known is counted
in `ignored` and skipped: APIs grow. An event of a known type that is invalid ends the turn. An event that
names another response or stream is counted as "foreign".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from service.domain.errors import Reason, TurnError
from service.domain.events import Event, Started, StopReason, Usage
from service.domain.messages import Message
from service.wire import error_classifier
from service.wire.error_events import read_error
from service.wire.lifecycle import MAX_ID_CHARACTERS, completed, id_of, started, why_cut
from service.wire.output_assembler import Answer
from service.wire.server_events import Response, ServerEvent, decode, read_usage
from service.wire.streams import Stream
from service.wire.tally import Tally

Locate = Callable[[Answer, ServerEvent], Stream | None]

DELTAS: dict[str, Locate] = {
    "response.output_text.delta": Answer.text,
    "response.refusal.delta": Answer.refusal,
    "response.function_call_arguments.delta": Answer.arguments,
    "response.reasoning_summary_text.delta": Answer.summary,
    "response.reasoning_text.delta": Answer.reasoning,
}
DONES: dict[str, Locate] = {
    "response.output_text.done": Answer.text,
    "response.refusal.done": Answer.refusal,
    "response.function_call_arguments.done": Answer.arguments,
    "response.reasoning_summary_text.done": Answer.summary,
    "response.reasoning_text.done": Answer.reasoning,
}
ITEMS: dict[str, Callable[[Answer, ServerEvent], list[Event]]] = {
    "response.output_item.added": Answer.item_added,
    "response.output_item.done": Answer.item_done,
}
BEGINNINGS = frozenset({"response.queued", "response.created", "response.in_progress"})
ENDS: dict[str, str] = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.done": "",
}
"""The status that the event means; empty: the response's own `status` field decides."""

ERRORS = frozenset({"error", "response.error"})
UNDERSTOOD = frozenset([*DELTAS, *DONES, *ITEMS, *BEGINNINGS, *ENDS])

UNSOLICITED = frozenset({"connection_expiring"})
"""Errors that announce the end of the connection and do not concern this response."""


class ResponseDecoder:
    """Decode the frames of one response.

    `continuing`: the request carried a previous_response_id.
    `finished`: the upstream ended the response; later frames are ignored.
    `orderly`: no frame of this response can follow, so the connection can be reused. After a bare `error`
    some servers also send `response.failed`.
    `response_id` is empty and `usage` None until the upstream reports them. `ignored` counts by kind.
    """

    __slots__ = (
        "_answer",
        "_continuing",
        "_delta_stream",
        "_growing",
        "_last_delta",
        "_next_number",
        "_started",
        "finished",
        "ignored",
        "orderly",
        "response_id",
        "usage",
    )

    def __init__(self, *, continuing: bool) -> None:
        self.finished = False
        self.orderly = False
        self.response_id = ""
        self.usage: Usage | None = None
        self.ignored = Tally()
        self._answer = Answer(self.ignored)
        self._continuing = continuing
        self._started: Started | None = None
        # Fast path: consecutive deltas mostly go to one stream, so the last one and its stream are kept.
        self._last_delta: ServerEvent | None = None
        self._delta_stream: Stream | None = None
        self._growing: Stream | None = None  # the stream whose pieces are not merged yet
        self._next_number: int | None = None

    def __repr__(self) -> str:
        state = "finished" if self.finished else "running" if self._started else "waiting"
        return f"ResponseDecoder({self.response_id or 'no id'}, {state})"

    @property
    def size(self) -> int:
        """The bytes of the answer so far."""
        return self._answer.size

    def feed(self, frames: Iterable[str | bytes], events: list[Event]) -> None:
        """Append the domain events of the frames to `events`, merging adjacent deltas of one part.

        Raises TurnError when the response failed or a frame is invalid; what came before it is in `events`.
        """
        try:
            for frame in frames:
                if self.finished:
                    self.ignored.note("behind_the_end")
                    continue
                event = decode(frame, UNDERSTOOD)
                if event.stream_id is not None or (
                    event.response_id and not self._may_be_ours(event.response_id)
                ):
                    self.ignored.note("foreign")
                    continue
                number = event.sequence_number
                # Some servers send no numbers, or always -1: they only serve to detect gaps.
                if number is not None and number >= 0:
                    if number != self._next_number and self._next_number is not None:
                        self.ignored.note("gap")
                    self._next_number = number + 1
                if event.type in DELTAS:
                    if event.delta and (stream := self._stream(event)):
                        if stream is not self._growing:
                            events += self._merge()
                            self._growing = stream
                        events += stream.add(event.delta)
                else:
                    self._last_delta = None
                    events += self._merge()
                    events += self._dispatch(event, frame)
        finally:
            events += self._merge()

    def partial(self) -> Message | None:
        """Return the message so far, without incomplete tool calls. Returns None when it has no parts."""
        message = self._answer.message(ended=False)
        return message if message.parts else None

    def _stream(self, event: ServerEvent) -> Stream | None:
        """Find the stream of a delta: mostly that of the last delta."""
        last = self._last_delta
        if (
            last is None
            or event.type != last.type
            or event.item_id != last.item_id
            or event.output_index != last.output_index
            or event.content_index != last.content_index
            or event.summary_index != last.summary_index
        ):
            self._require_started(event.type)
            self._delta_stream = DELTAS[event.type](self._answer, event)
            self._last_delta = event if self._delta_stream is not None else None
        return self._delta_stream

    def _merge(self) -> Sequence[Event]:
        return self._growing.merge() if self._growing is not None else ()

    def _dispatch(self, event: ServerEvent, frame: str | bytes) -> list[Event]:
        kind = event.type
        if kind in BEGINNINGS or kind in ENDS:
            return self._lifecycle(event, frame)
        if locate := DONES.get(kind):
            self._require_started(kind)
            final = event.text or event.refusal or event.arguments
            if final and (stream := locate(self._answer, event)):
                return stream.settle(final, self.ignored)
        elif take := ITEMS.get(kind):
            self._require_started(kind)
            return take(self._answer, event)
        elif kind in ERRORS or not kind:
            self._error(frame)
        else:
            self.ignored.note(kind)
        return []

    def _require_started(self, kind: str) -> None:
        if self._started is None:
            raise TurnError(Reason.PROTOCOL_ERROR, f"the upstream sent {kind} before it began a response")

    def _may_be_ours(self, response_id: str | None) -> bool:
        # Without an id, or before ours is known, it is taken for ours.
        if not response_id or not self.response_id:
            return True
        return response_id[:MAX_ID_CHARACTERS] == self.response_id

    def _lifecycle(self, event: ServerEvent, frame: str | bytes) -> list[Event]:
        response = event.response or Response()
        if not self._may_be_ours(response.id):
            self.ignored.note("foreign")
            return []
        self.response_id = self.response_id or id_of(response)
        if event.type in BEGINNINGS:
            return self._start(response)
        self.usage = read_usage(response.usage)
        match ENDS[event.type] or response.status or "completed":
            case "completed":
                return self._complete(response, cut=None)
            case "incomplete":
                return self._complete(response, cut=why_cut(response))
            case _:
                self.finished = self.orderly = True
                raise error_classifier.from_error(read_error(frame), continuing=self._continuing)

    def _start(self, response: Response) -> list[Event]:
        if self._started is not None:
            return []
        self._started = started(self.response_id, response)
        return [self._started]

    def _complete(self, response: Response, *, cut: StopReason | None) -> list[Event]:
        events = self._start(response)
        assert self._started is not None, "it was started above"
        events += self._answer.output(response.output)
        self.finished = self.orderly = True
        message = self._answer.message(ended=cut is None)
        self._answer.forget()
        end = completed(
            response, self._started, message, response_id=self.response_id, usage=self.usage, cut=cut
        )
        return [*events, end]

    def _error(self, frame: str | bytes) -> None:
        payload = read_error(frame)
        if not payload.get("type") and "error" not in payload:
            raise TurnError(Reason.PROTOCOL_ERROR, "the upstream sent a frame without a type")
        error = error_classifier.from_error(payload, continuing=self._continuing)
        if error.upstream and error.upstream.code in UNSOLICITED:
            self.ignored.note(error.upstream.code)
            return
        self.finished = True
        # Some servers send response.failed after the error; not where no response was begun.
        self.orderly = self._started is None
        raise error
