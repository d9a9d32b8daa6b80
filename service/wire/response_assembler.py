"""Apply server events to one response: its state, its answer, and the table of all types of events.

`ResponseAssembler.HANDLERS` has a row for each type that is understood. A new type is one row and one method,
which returns the domain events that the event makes. `response_decoder` explains the states, and
`output_assembler` where in the answer an event belongs.

Deltas are the hot path: an answer has ten other events and hundreds of deltas, nearly all for the same stream
as the one before. So the last delta and its stream are kept, and a delta with the same address is added
without looking at the table or the answer:

    output_text.delta  index 0, msg_1, "Hel"   the row's handler finds the stream of msg_1
    output_text.delta  index 0, msg_1, "lo"    the same address: added to that stream
    output_item.added  index 1                 no delta: the stream is merged, the address forgotten
    output_text.delta  index 0, msg_1, "!"     the row's handler again: msg_1 may have been replaced
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from service.domain.errors import Reason, TurnError
from service.domain.events import Event, Started, StopReason, Usage
from service.domain.messages import Message
from service.wire import error_classifier
from service.wire.error_events import read_error
from service.wire.lifecycle import completed, id_of, started, why_cut
from service.wire.output_assembler import Answer
from service.wire.ownership import Ownership
from service.wire.server_events import Response, ServerEvent
from service.wire.streams import Stream
from service.wire.tally import Tally
from service.wire.usage import read_usage

Locate = Callable[[Answer, ServerEvent], Stream | None]
Take = Callable[[Answer, ServerEvent], list[Event]]
Handler = Callable[["ResponseAssembler", ServerEvent, str | bytes], list[Event]]
"""Apply the event, and return what it makes. The last argument is its frame, of which errors are read."""

REDUNDANT = frozenset(
    {
        "response.content_part.added",
        "response.content_part.done",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done",
    }
)
"""Events of every answer that repeat what other events contain."""

UNSOLICITED = frozenset({"connection_expiring"})
"""Errors that announce the end of the connection and do not concern this response."""


class ResponseAssembler(Ownership):
    """Assemble one response from its events.

    `continuing`: the request carried a previous_response_id.
    `shared`: the connection may carry other responses (`ownership`).
    `finished`: the upstream ended the response; apply no more events.
    `orderly`: no frame of this response can follow, so the connection can be reused. After a bare `error`
    some servers also send `response.failed`.
    `response_id` is empty and `usage` None until the upstream reports them. `ignored` counts by kind.
    """

    __slots__ = (
        "_answer",
        "_continuing",
        "_last_delta",
        "_next_number",
        "_started",
        "_stream",
        "finished",
        "ignored",
        "orderly",
        "response_id",
        "usage",
    )

    def __init__(self, *, continuing: bool, shared: bool = True) -> None:
        super().__init__(shared=shared)
        self.finished = False
        self.orderly = False
        self.response_id = ""
        self.usage: Usage | None = None
        self.ignored = Tally()
        self._answer = Answer(self.ignored)
        self._continuing = continuing
        self._started: Started | None = None
        self._next_number: int | None = None
        # The last delta that had a place, and the stream it was added to: None after any other event.
        self._last_delta = ServerEvent()
        self._stream: Stream | None = None

    def __repr__(self) -> str:
        state = "finished" if self.finished else "running" if self._started else "waiting"
        return f"{type(self).__name__}({self.response_id or 'no id'}, {state})"

    @property
    def size(self) -> int:
        """The bytes of the answer so far."""
        return self._answer.size

    def partial(self) -> Message | None:
        """Return the message so far, without incomplete tool calls. Returns None when it has no parts."""
        message = self._answer.message(ended=False)
        return message if message.parts else None

    def apply(self, event: ServerEvent, frame: str | bytes, events: list[Event]) -> None:
        """Append to `events` what the event makes. A delta waits for `merge`, or for an event that ends it.

        `frame` is what the event was decoded from.
        Raises TurnError when the event fails the response, or is invalid in its state.
        """
        number = event.sequence_number
        # Some servers send no numbers, or always -1: they only serve to detect gaps.
        if number is not None and number >= 0:
            if number != self._next_number and self._next_number is not None:
                self.ignored.note("gap")
            self._next_number = number + 1
        if self._stream is not None:
            if self._continues(event):
                if event.delta:
                    events += self._stream.add(event.delta)
                return
            if event.type not in DELTAS:
                events += self._stream.merge()
                self._stream = None
        if handler := self.HANDLERS.get(event.type):
            events += handler(self, event, frame)
        else:
            events += self._progress(event, frame)

    def merge(self) -> Sequence[Event]:
        """Return the deltas that wait.

        Raises TurnError, and drops them, when they make the answer too long.
        """
        return self._stream.merge() if self._stream is not None else ()

    def _continues(self, event: ServerEvent) -> bool:
        """Return whether the event is a delta with the address of the last one."""
        last = self._last_delta
        return (
            event.type == last.type
            and event.item_id == last.item_id
            and event.output_index == last.output_index
            and event.content_index == last.content_index
            and event.summary_index == last.summary_index
            and event.response_id == last.response_id
        )

    # The handlers

    def _grow(self, event: ServerEvent, locate: Locate) -> list[Event]:
        if not event.delta or (begun := self._admit(event)) is None:
            return []
        stream = locate(self._answer, event)
        if stream is None:
            return begun
        others = self.merge() if stream is not self._stream else ()
        self._last_delta, self._stream = event, stream
        return [*begun, *others, *stream.add(event.delta)]

    def _settle(self, event: ServerEvent, locate: Locate) -> list[Event]:
        if (begun := self._admit(event)) is None:
            return []
        final = event.text or event.refusal or event.arguments or event.input
        stream = locate(self._answer, event) if final else None
        return begun + stream.settle(final, self.ignored) if stream else begun

    def _item(self, event: ServerEvent, take: Take) -> list[Event]:
        if (begun := self._admit(event)) is None:
            return []
        return begun + take(self._answer, event)

    def _progress(self, event: ServerEvent, frame: str | bytes) -> list[Event]:
        """What has no handler may tell of an item; or it is of a type that nobody knows."""
        if event.type in REDUNDANT or self._started is None or self.wary:
            self.ignored.note(event.type)
            return []
        return self._answer.progress(event, frame)

    def _begin(self, event: ServerEvent) -> list[Event]:
        response = event.response or Response()
        if not self.begins(id_of(response), created=event.type == "response.created"):
            self.ignored.note("foreign")
            return []
        return self._start(response)

    def _end(self, event: ServerEvent, frame: str | bytes, status: str) -> list[Event]:
        response = event.response or Response()
        if not self.ends(id_of(response)):
            self.ignored.note("foreign")
            return []
        self.usage = read_usage(response.usage, self.ignored)
        match status or response.status or "completed":
            case "completed":
                return self._complete(response, None)
            case "incomplete":
                return self._complete(response, why_cut(response))
            case _:
                self.finished = self.orderly = True
                raise error_classifier.from_error(read_error(frame), continuing=self._continuing)

    def _error(self, event: ServerEvent, frame: str | bytes) -> list[Event]:
        if not self.fails(event.response_id):
            self.ignored.note("foreign")
            return []
        payload = read_error(frame)
        if not payload.get("type") and "error" not in payload:
            raise TurnError(Reason.PROTOCOL_ERROR, "the upstream sent a frame without a type")
        error = error_classifier.from_error(payload, continuing=self._continuing)
        if error.upstream and error.upstream.code in UNSOLICITED:
            self.ignored.note(error.upstream.code)
            return []
        self.finished = True
        # Some servers send response.failed after the error; not where no response was begun.
        self.orderly = self._started is None
        raise error

    HANDLERS: ClassVar[dict[str, Handler]] = {
        "response.queued": lambda self, event, _: self._begin(event),
        "response.created": lambda self, event, _: self._begin(event),
        "response.in_progress": lambda self, event, _: self._begin(event),
        "response.output_item.added": lambda self, event, _: self._item(event, Answer.item_added),
        "response.output_item.done": lambda self, event, _: self._item(event, Answer.item_done),
        "response.output_text.delta": lambda self, event, _: self._grow(event, Answer.text),
        "response.output_text.done": lambda self, event, _: self._settle(event, Answer.text),
        "response.refusal.delta": lambda self, event, _: self._grow(event, Answer.refusal),
        "response.refusal.done": lambda self, event, _: self._settle(event, Answer.refusal),
        "response.function_call_arguments.delta": lambda self, event, _: self._grow(event, Answer.arguments),
        "response.function_call_arguments.done": lambda self, event, _: self._settle(event, Answer.arguments),
        "response.custom_tool_call_input.delta": lambda self, event, _: self._grow(event, Answer.input),
        "response.custom_tool_call_input.done": lambda self, event, _: self._settle(event, Answer.input),
        "response.reasoning_summary_text.delta": lambda self, event, _: self._grow(event, Answer.summary),
        "response.reasoning_summary_text.done": lambda self, event, _: self._settle(event, Answer.summary),
        "response.reasoning_text.delta": lambda self, event, _: self._grow(event, Answer.reasoning),
        "response.reasoning_text.done": lambda self, event, _: self._settle(event, Answer.reasoning),
        "response.completed": lambda self, event, frame: self._end(event, frame, "completed"),
        "response.incomplete": lambda self, event, frame: self._end(event, frame, "incomplete"),
        "response.failed": lambda self, event, frame: self._end(event, frame, "failed"),
        # Here the response's own status decides.
        "response.done": lambda self, event, frame: self._end(event, frame, ""),
        "response.error": lambda self, event, frame: self._error(event, frame),
        "error": lambda self, event, frame: self._error(event, frame),
        # Some servers send an error without a type.
        "": lambda self, event, frame: self._error(event, frame),
    }

    # What the handlers share

    def _admit(self, event: ServerEvent) -> list[Event] | None:
        """Return what comes before the event: nothing, or a beginning that was missing.

        Returns None when the event is foreign.
        """
        if (self.wary or event.response_id) and not self.has(event.response_id):
            self.ignored.note("foreign")
            return None
        return self._start(Response()) if self._started is None else []

    def _start(self, response: Response) -> list[Event]:
        if self._started is not None:
            return []
        self.response_id = id_of(response)
        self._answer.begin(self.response_id)
        self._started = started(self.response_id, response)
        return [self._started]

    def _complete(self, response: Response, cut: StopReason | None) -> list[Event]:
        events = self._start(response)
        assert self._started is not None, "it was started above"
        # Where the id changed, the last one is that of the whole response.
        self.response_id = id_of(response) or self.response_id
        events += self._answer.output(response.output)
        self.finished = self.orderly = True
        message = self._answer.message(ended=cut is None)
        self._answer.forget()
        end = completed(
            response,
            self._started,
            message,
            response_id=self.response_id,
            usage=self.usage,
            cut=cut,
            is_waiting=self._answer.is_waiting,
            answered=self._answer.answered,
        )
        return [*events, end]


ERRORS = frozenset({"", "error", "response.error"})
"""Errors have any shape. So they are not refused as malformed, and are read from the frame."""

UNDERSTOOD = frozenset(ResponseAssembler.HANDLERS) - ERRORS
DELTAS = frozenset(kind for kind in UNDERSTOOD if kind.endswith(".delta"))
"""Events that only add a piece to a stream. Before any other is applied, what was added is merged."""
