"""Print the events of a turn, for people or as JSON for scripts."""

from abc import ABC, abstractmethod
from typing import TextIO

from trunkline.cli.items import citation_lines, item_line, item_name, progress_line
from trunkline.cli.records import error_record, event_record, tool_results_record
from trunkline.cli.terminal import Terminal
from trunkline.cli.words import error_lines, report_line
from trunkline.errors import TrunklineError
from trunkline.events import (
    Done,
    Event,
    ItemProgress,
    ReasoningDelta,
    RefusalDelta,
    Start,
    TextDelta,
    ToolCallDelta,
)
from trunkline.gen.trunkline.v1.message_pb2 import Message
from trunkline.messages import text_of

WHY = {
    "length": "It stopped at a limit of length.",
    "content_filter": "A filter cut it.",
    "tool_use": "It still asks for tools: too many rounds.",
}
LONGEST_RESULT = 200


class Show(ABC):
    """What chat prints of a turn."""

    @abstractmethod
    def event(self, event: Event) -> None: ...

    @abstractmethod
    def results(self, message: Message) -> None:
        """What the tools returned."""

    @abstractmethod
    def error(self, error: TrunklineError) -> None: ...

    @abstractmethod
    def stopped(self) -> None: ...

    @abstractmethod
    def unanswered(self, done: Done) -> None:
        """Nobody here does what the model waits for."""


class Records(Show):
    """Each event a line of JSON, as it comes."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal

    def event(self, event: Event) -> None:
        self._terminal.record(event_record(event))

    def results(self, message: Message) -> None:
        self._terminal.record(tool_results_record(message))

    def error(self, error: TrunklineError) -> None:
        self._terminal.record(error_record(error))

    def stopped(self) -> None:
        self._terminal.record({"type": "stopped"})

    def unanswered(self, done: Done) -> None:
        """The record of `done` says it."""


class Screen(Show):
    """The answer to standard output; what is about it to standard error."""

    def __init__(self, terminal: Terminal, address: str) -> None:
        self._terminal = terminal
        self._address = address
        self._part: tuple[object, ...] = ()

    def event(self, event: Event) -> None:
        terminal = self._terminal
        match event:
            case Start():
                self._part = ()
            case TextDelta(content_index=index, delta=delta):
                self._piece(terminal.out, ("text", index), "", delta, "")
            case ReasoningDelta(content_index=index, delta=delta, of=of):
                self._piece(terminal.err, (of, index), "", delta, "dim")
            case RefusalDelta(content_index=index, delta=delta):
                self._piece(terminal.out, ("refusal", index), "", delta, "yellow")
            case ToolCallDelta(call_id=call_id, name=name, delta=delta):
                self._piece(terminal.err, ("call", call_id), f"→ {name} ", delta, "cyan")
            case ItemProgress():
                self._progress(event)
            case Done():
                self._end(event)

    def results(self, message: Message) -> None:
        for part in message.parts:
            if not part.HasField("tool_result"):
                continue
            result = part.tool_result
            said = text_of(Message(parts=result.parts)) or "nothing"
            said = said if len(said) <= LONGEST_RESULT else said[:LONGEST_RESULT] + "…"
            self._terminal.note(f"← {said}", "red" if result.is_error else "cyan")

    def error(self, error: TrunklineError) -> None:
        first, *more = error_lines(error, self._address)
        self._terminal.note(first, "red")
        for line in more:
            self._terminal.note(line)

    def stopped(self) -> None:
        self._terminal.note("Stopped. This turn is not kept.", "yellow")

    def unanswered(self, done: Done) -> None:
        waits = ", ".join(sorted({item_name(action.type) for action in done.actions}))
        self._terminal.note(f"It waits for what nobody here does: {waits}. This turn is not kept.", "yellow")

    def _progress(self, event: ItemProgress) -> None:
        """A stage of an item on a line of its own, once."""
        stage = progress_line(event)
        if stage and ("progress", event.content_index, stage) != self._part:
            self._part = ("progress", event.content_index, stage)
            self._terminal.note(stage, "dim")

    def _end(self, done: Done) -> None:
        for item in done.upstream_items:
            waits = item in done.actions  # whole: nobody should approve what they cannot read
            self._terminal.note(item_line(item, whole=waits), "yellow" if waits else "cyan")
        for line in citation_lines(done.annotations):
            self._terminal.note(line, "dim")
        if why := WHY.get(done.stop_reason if not done.tool_calls else ""):
            self._terminal.note(why, "yellow")
        self._terminal.note(report_line(done), "dim")

    def _piece(self, stream: TextIO, part: tuple[object, ...], label: str, delta: str, style: str) -> None:
        """A new part begins on a line of its own."""
        if part != self._part:
            self._part = part
            self._terminal.fresh_line()
            self._terminal.write(stream, label, style)
        self._terminal.write(stream, delta, style)
