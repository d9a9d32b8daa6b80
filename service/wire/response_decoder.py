"""Decode one response: frames in, domain events out, alike over a WebSocket and over SSE.

Three steps:

    frame         the JSON text of one event
      | decode    (`server_events`) reads the few fields that are needed, whatever the type
    ServerEvent
      | apply     (`response_assembler`) changes the state and the answer, by a table of all types, and makes
      |           domain events. Of a delta it makes no event yet: it adds a piece to a `Stream`
    piece
      | merge     (`streams`) joins adjacent pieces of one stream, checks the bounds, and makes one delta
    domain event

Pieces are merged when an event follows that is no delta for the same stream, and at the end of each `feed`:
nothing waits for the next read, and what came before an error is emitted before it.

A response has three states, and each event of the upstream moves it forward or not at all:

    waiting --(created, in_progress or queued)--> running --(completed, incomplete)--> finished: Completed
       |                                             |
       +-------(failed, error: TurnError)------------+-------------------------------> finished

- Waiting: over SSE any content begins the response; on a WebSocket it is foreign. An end without a beginning
  is accepted; it begins the response first.
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

The two text deltas become one when they arrive in one `feed`. An event of a type that the table lacks is
counted in `ignored` and skipped, unless it tells of an item: APIs grow. So is a field of a known type that is
not understood. An event of another response is counted as "foreign" (`ownership`). Only a frame that is no
JSON object ends the turn.
"""

from __future__ import annotations

from collections.abc import Iterable

from service.domain.events import Event
from service.wire.response_assembler import UNDERSTOOD, ResponseAssembler
from service.wire.server_events import decode


class ResponseDecoder(ResponseAssembler):
    """A `ResponseAssembler` that is fed with frames."""

    __slots__ = ()

    def feed(self, frames: Iterable[str | bytes], events: list[Event]) -> None:
        """Append the domain events of the frames to `events`, merging adjacent deltas of one part.

        Raises TurnError when the response failed or a frame is invalid; what came before it is in `events`.
        """
        try:
            for frame in frames:
                if self.finished:
                    self.ignored.note("behind_the_end")
                else:
                    self.apply(decode(frame, UNDERSTOOD, self.ignored), frame, events)
        finally:
            events += self.merge()
