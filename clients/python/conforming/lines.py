"""Print what a step brings: events, errors, sessions, histories."""

from collections.abc import Iterable
from typing import Any

from conforming import shapes
from conforming.transcript import Transcript
from trunkline import (
    Compaction,
    Done,
    Event,
    ItemProgress,
    ReasoningDelta,
    RefusalDelta,
    Session,
    Start,
    TextDelta,
    ToolCallDelta,
    TrunklineError,
)

Json = dict[str, Any]


class Lines:
    """What a step prints. Neighbouring deltas of one part are held back until something else ends them."""

    def __init__(self, transcript: Transcript, shown: shapes.Shown, *, details: bool, kept: bool) -> None:
        self._transcript = transcript
        self._details = details
        self._kept = kept
        self._shown = shown
        self._word = ""
        self._part: Json = {}
        self._deltas: list[str] = []

    def all(self, events: Iterable[Event | TrunklineError]) -> None:
        for event in events:
            if isinstance(event, TrunklineError):
                self.error(event)
            else:
                self.event(event)

    def event(self, event: Event) -> None:
        match event:
            case Start():
                self._line("start", shapes.start(event))
            case TextDelta(content_index=index, delta=delta):
                self._delta("text", {"index": index}, delta)
            case ReasoningDelta(content_index=index, delta=delta, of=of):
                self._delta("reasoning", {"index": index, "of": of}, delta)
            case RefusalDelta(content_index=index, delta=delta):
                self._delta("refusal", {"index": index}, delta)
            case ToolCallDelta(content_index=index, call_id=call_id, name=name, delta=delta):
                self._delta("call", {"index": index, "call_id": call_id, "name": name}, delta)
            case ItemProgress():
                self._line("progress", shapes.progress(event))
            case Done():
                self._line("done", shapes.done(event, self._shown))
                if self._details:
                    self._line("details", shapes.details(event))
                if self._kept:
                    self._line("kept", shapes.kept(event))

    def error(self, failed: TrunklineError) -> None:
        self._line("error", shapes.error(failed, self._shown))

    def session(self, session: Session) -> None:
        self._line("session", shapes.session(session))

    def turns(self, session: Session) -> None:
        for turn in session.running_turns:
            self._line("turn", shapes.turn(turn))

    def compaction(self, compaction: Compaction) -> None:
        self._line("compacted", shapes.compacted(compaction, self._shown))

    def history(self, messages: Any) -> None:
        self._line("history", shapes.history(messages))

    def word(self, word: str) -> None:
        self._line(word)

    def _delta(self, word: str, part: Json, delta: str) -> None:
        if (word, part) != (self._word, self._part):
            self._flush()
            self._word, self._part = word, part
        self._deltas.append(delta)

    def _line(self, word: str, value: Any = None) -> None:
        self._flush()
        self._transcript.line(word, value)

    def _flush(self) -> None:
        if self._word:
            text = self._shown("".join(self._deltas))
            self._transcript.line(self._word, self._part | {"delta": text})
        self._word, self._part, self._deltas = "", {}, []
