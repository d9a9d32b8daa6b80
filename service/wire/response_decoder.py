"""One response: server events in, domain events out. The same over a WebSocket and over SSE.

Owns how a response begins and ends, and what is none of its business. Must never know where frames come from,
or what is done about a failure. The rule that would be broken first: an event that is not understood is
counted, never fatal; one that is understood and makes no sense ends the turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from service.domain.errors import Reason, TurnError
from service.domain.events import Completed, Event, Started, StopReason, Usage
from service.domain.messages import Message, ToolCallPart
from service.wire import error_classifier
from service.wire.error_events import read_error
from service.wire.output_assembler import Answer
from service.wire.server_events import Frame, Response, read_frame, read_usage
from service.wire.streams import Run, Stream
from service.wire.tally import Tally

Locate = Callable[[Answer, Frame], Stream | None]

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
ITEMS: dict[str, Callable[[Answer, Frame], list[Event]]] = {
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
"""The status that the event stands for; empty: the response itself says it."""

ERRORS = frozenset({"error", "response.error"})
UNDERSTOOD = frozenset([*DELTAS, *DONES, *ITEMS, *BEGINNINGS, *ENDS])

INCOMPLETE: dict[str, StopReason] = {
    "max_output_tokens": StopReason.LENGTH,
    "max_messages": StopReason.LENGTH,
    "content_filter": StopReason.CONTENT_FILTER,
}
"""Any other reason counts as LENGTH: the answer was cut short."""

UNSOLICITED = frozenset({"connection_expiring"})
"""Errors that tell of the connection's future, not of this response."""

MAX_CREATED_AT = 253402300799.0
"""The last second of the year 9999: no timestamp is later, unless a server counts in milliseconds."""


MAX_ID_CHARACTERS = 512
"""More of a response's id is not kept. One of this length may have been cut: nothing builds on it."""

MAX_MODEL_CHARACTERS = 256
"""More of the model's name, as the upstream reports it, is not kept."""


class ResponseDecoder:
    """`continuing`: the request carried a previous_response_id.

    `finished`: the upstream ended the response itself; all that follows is ignored. `orderly`: it did so in a
    way behind which nothing of it can come any more. `response_id` is empty and `usage` None until they are
    told. `ignored` counts by kind.
    """

    __slots__ = (
        "_answer",
        "_continuing",
        "_delta",
        "_next",
        "_open",
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
        # The last delta, and where it went, while nothing but deltas come.
        self._delta: Frame | None = None
        self._open: Stream | None = None
        self._next: int | None = None

    def __repr__(self) -> str:
        state = "finished" if self.finished else "running" if self._started else "waiting"
        return f"ResponseDecoder({self.response_id or 'no id'}, {state})"

    @property
    def size(self) -> int:
        """What the answer has taken so far."""
        return self._answer.size

    def feed(self, frames: Iterable[str | bytes], events: list[Event]) -> None:
        """Puts what the frames make behind `events`, neighbouring deltas of one part as one.

        TurnError: the response failed, or a frame makes no sense; what came before it is in `events`.
        """
        run = Run(events)
        try:
            for frame in frames:
                if self.finished:
                    self.ignored.note("behind_the_end")
                    continue
                told = read_frame(frame, UNDERSTOOD)
                if told.stream_id is not None or (
                    told.response_id and not self._may_be_ours(told.response_id)
                ):
                    self.ignored.note("foreign")
                    continue
                number = told.sequence_number
                # Some servers number nothing, or everything -1: numbers are only good for finding gaps.
                if number is not None and number >= 0:
                    if number != self._next and self._next is not None:
                        self.ignored.note("gap")
                    self._next = number + 1
                if told.type in DELTAS:
                    if told.delta and (stream := self._stream(told)):
                        run.add(stream, told.delta)
                else:
                    self._delta = None
                    run.end()
                    events += self._dispatch(told, frame)
        finally:
            run.end()

    def partial(self) -> Message | None:
        """The message as far as it came, without a tool call that is not whole. None: nothing came."""
        message = self._answer.message(ended=False)
        return message if message.parts else None

    def _stream(self, told: Frame) -> Stream | None:
        """Where the delta goes: mostly where the last one went."""
        last = self._delta
        if (
            last is None
            or told.type != last.type
            or told.item_id != last.item_id
            or told.output_index != last.output_index
            or told.content_index != last.content_index
            or told.summary_index != last.summary_index
        ):
            self._need_start(told.type)
            self._open = DELTAS[told.type](self._answer, told)
            self._delta = told if self._open is not None else None
        return self._open

    def _dispatch(self, told: Frame, frame: str | bytes) -> list[Event]:
        kind = told.type
        if kind in BEGINNINGS or kind in ENDS:
            return self._live(told, frame)
        if locate := DONES.get(kind):
            self._need_start(kind)
            final = told.text or told.refusal or told.arguments
            if final and (stream := locate(self._answer, told)):
                return stream.settle(final, self.ignored)
        elif take := ITEMS.get(kind):
            self._need_start(kind)
            return take(self._answer, told)
        elif kind in ERRORS or not kind:
            self._error(frame)
        else:
            self.ignored.note(kind)
        return []

    def _need_start(self, kind: str) -> None:
        if self._started is None:
            raise TurnError(Reason.PROTOCOL_ERROR, f"the upstream sent {kind} before it began a response")

    def _may_be_ours(self, response_id: str | None) -> bool:
        # What has no id, or comes before ours is known, gets the benefit of the doubt.
        if not response_id or not self.response_id:
            return True
        return response_id[:MAX_ID_CHARACTERS] == self.response_id

    def _live(self, told: Frame, frame: str | bytes) -> list[Event]:
        response = told.response or Response()
        if not self._may_be_ours(response.id):
            self.ignored.note("foreign")
            return []
        self.response_id = self.response_id or (response.id or "")[:MAX_ID_CHARACTERS]
        response.model = (response.model or "")[:MAX_MODEL_CHARACTERS]
        if told.type in BEGINNINGS:
            return self._start(response)
        self.usage = read_usage(response.usage)
        match ENDS[told.type] or response.status or "completed":
            case "completed":
                return self._complete(response, cut=None)
            case "incomplete":
                why = response.incomplete_details and response.incomplete_details.reason
                return self._complete(response, cut=INCOMPLETE.get(why or "", StopReason.LENGTH))
            case _:
                self.finished = self.orderly = True
                raise error_classifier.from_error(read_error(frame), continuing=self._continuing)

    def _start(self, response: Response) -> list[Event]:
        if self._started is not None:
            return []
        created_at = response.created_at or 0.0
        self._started = Started(
            self.response_id, response.model or "", created_at if 0 <= created_at <= MAX_CREATED_AT else 0.0
        )
        return [self._started]

    def _complete(self, response: Response, *, cut: StopReason | None) -> list[Event]:
        events = self._start(response)
        assert self._started is not None, "it was started above"
        events += self._answer.output(response.output)
        self.finished = self.orderly = True
        message = self._answer.message(ended=cut is None)
        self._answer.forget()
        events.append(
            Completed(
                self.response_id,
                response.model or self._started.model,
                self._started.created_at,
                message,
                cut or _stop_reason(message),
                self.usage or Usage(),
                continuable=cut is None and len(self.response_id) < MAX_ID_CHARACTERS,
            )
        )
        return events

    def _error(self, frame: str | bytes) -> None:
        payload = read_error(frame)
        if not payload.get("type") and "error" not in payload:
            raise TurnError(Reason.PROTOCOL_ERROR, "the upstream sent a frame without a type")
        error = error_classifier.from_error(payload, continuing=self._continuing)
        if error.upstream and error.upstream.code in UNSOLICITED:
            self.ignored.note(error.upstream.code)
            return
        self.finished = True
        # Some servers let the failed response follow its error. Where none was begun, none can.
        self.orderly = self._started is None
        raise error


def _stop_reason(message: Message) -> StopReason:
    called = any(isinstance(part, ToolCallPart) for part in message.parts)
    return StopReason.TOOL_USE if called else StopReason.STOP
