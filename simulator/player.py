"""Turns a script into the event sequence of one response.

Owns the order of events, their numbering, item ids and endings. Pure: a generator of acts (events, pauses,
faults) that reads no clock and knows no socket, so every wire plays the same script alike.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from simulator.errors import Json
from simulator.ids import Ids
from simulator.items import Draft, encrypted
from simulator.memory import BYTES_PER_TOKEN
from simulator.response import Prompt
from simulator.scripts.faults import Fault
from simulator.scripts.steps import (
    Aftermath,
    Call,
    Complete,
    Content,
    Emit,
    Fail,
    Gate,
    Incomplete,
    Pace,
    Reason,
    Refuse,
    Say,
    Script,
    Start,
    Step,
    Wait,
)

Act = Json | Wait | Gate | Fail | Fault


class Player:
    """Plays one script once."""

    def __init__(
        self, response: Json, prompt: Prompt, ids: Ids, pace: Pace, *, encrypt: bool, now: int
    ) -> None:
        self._response = response
        self._prompt = prompt
        self._ids = ids
        self._pace = pace
        self._encrypt = encrypt
        self._now = now
        self._sequence = 0
        self._started = False
        self._ended = False
        self._output: list[Json] = []
        self._open: Draft | None = None
        limit = response["max_output_tokens"]
        self._bytes_left: int | None = None if limit is None else limit * BYTES_PER_TOKEN

    def play(self, script: Script) -> Iterator[Act]:
        """All steps in order. Behind an ending there is no content, but pauses, stray events and trouble."""
        for step in script.steps:
            if not self._ended or isinstance(step, Aftermath):
                yield from self._perform(step)
        if not self._ended:
            yield from self._completed()

    def silent(self, script: Script) -> Iterator[Act]:
        """For a request that wants no output. What can go wrong still may."""
        kept = (step for step in script.steps if not isinstance(step, Content | Incomplete))
        yield from self.play(Script(*kept))

    def _perform(self, step: Step) -> Iterator[Act]:
        match step:
            case Say() | Refuse() | Reason() | Call():
                yield from self._settle()
                yield from self._write(step)
                if self._spent():
                    yield from self._incomplete("max_output_tokens")
            case Start():
                yield from self._start()
            case Pace():
                self._pace = step
            case Emit(event, numbered):
                yield self._numbered(event) if numbered else dict(event)
            case Complete():
                yield from self._completed()
            case Incomplete(reason):
                yield from self._incomplete(reason)
            case Fail():
                yield from self._failed(step)
            case _:
                yield step

    def _write(self, step: Content) -> Iterator[Act]:
        match step:
            case Say():
                yield from self._message(step)
            case Refuse(text):
                yield from self._message(Say(text), "refusal")
            case Reason():
                yield from self._reason(step)
            case Call():
                yield from self._call(step)

    # How a response begins and ends

    def _start(self) -> Iterator[Act]:
        if not self._started:
            self._started = True
            yield self._event("response.created", response=self._response)
            yield self._event("response.in_progress", response=self._response)

    def _completed(self) -> Iterator[Act]:
        yield from self._start()
        yield from self._settle()
        yield self._ending("completed", completed_at=self._now)

    def _incomplete(self, reason: str) -> Iterator[Act]:
        yield from self._start()
        yield from self._settle("incomplete")
        yield self._ending("incomplete", incomplete_details={"reason": reason})

    def _failed(self, fail: Fail) -> Iterator[Act]:
        self._ended = True
        if fail.shape != "response_failed" and not (fail.shape == "natural" and self._started):
            yield fail
            return
        error = {"code": fail.code, "message": fail.message}
        usage = self._prompt.usage(self._output) if fail.usage else None
        yield self._ending("failed", error=error, usage=usage)

    def _ending(self, status: str, **fields: Any) -> Json:
        self._ended = True
        tier = self._response["service_tier"]
        response = {
            **self._response,
            "status": status,
            "output": self._output,
            "service_tier": "default" if tier == "auto" else tier,
            "usage": self._prompt.usage(self._output),
            **fields,
        }
        return self._event(f"response.{status}", response=response)

    # How an item is written

    def _message(self, step: Say, kind: str = "output_text") -> Iterator[Act]:
        item: Json = {
            "id": self._ids.new("msg"),
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
        }
        draft = Draft({**item, "phase": step.phase} if step.phase else item, len(self._output))
        yield from self._begin(draft)
        for words in (step.text, *step.more):
            yield from self._all(draft.part_end())
            fitting = self._fit(words)
            yield from self._paced(draft.part(kind, fitting, self._pieces(fitting[: step.streamed])))
            if self._spent():
                return
        if step.closed:
            yield from self._settle()

    def _reason(self, step: Reason) -> Iterator[Act]:
        draft = Draft({"id": self._ids.new("rs"), "type": "reasoning"}, len(self._output))
        yield from self._begin(draft)
        for words in step.summary:
            self._fit(words)
            yield from self._paced(draft.summary(words, self._pieces(words)))
        if step.text:
            self._fit(step.text)
            yield from self._paced(draft.part("reasoning_text", step.text, self._pieces(step.text)))
            yield from self._all(draft.part_end())
        if self._encrypt:
            draft.item["encrypted_content"] = encrypted(draft.item)
        yield from self._settle()

    def _call(self, step: Call) -> Iterator[Act]:
        item = {
            "id": self._ids.new("fc"),
            "type": "function_call",
            "status": "in_progress",
            "name": step.name,
        }
        draft = Draft({**item, "call_id": step.call_id or self._ids.new("call")}, len(self._output))
        yield from self._begin(draft)
        fitting = self._fit(step.arguments)
        yield from self._paced(draft.arguments(fitting, self._pieces(fitting)))
        if step.closed and not self._spent():
            yield from self._settle()

    def _begin(self, draft: Draft) -> Iterator[Act]:
        yield from self._start()
        self._open = draft
        yield from self._all([draft.added()])

    def _settle(self, status: str = "completed") -> Iterator[Act]:
        """Close the item that is still open, if any."""
        if self._open is not None:
            yield from self._all(self._open.end(status))
            self._output.append(self._open.item)
            self._open = None

    # Pace, budget, numbers

    def _pieces(self, words: str) -> list[str]:
        size = self._pace.delta_size
        if size is None:
            return re.findall(r"\S+\s*|\s+", words)
        return [words[start : start + size] for start in range(0, len(words), size)]

    def _paced(self, events: Iterable[Json]) -> Iterator[Act]:
        for event in events:
            if self._pace.delay_s and event["type"].endswith(".delta"):
                yield Wait(self._pace.delay_s)
            yield self._numbered(event)

    def _all(self, events: Iterable[Json]) -> Iterator[Act]:
        for event in events:
            yield self._numbered(event)

    def _fit(self, words: str) -> str:
        """What `max_output_tokens` leaves room for."""
        if self._bytes_left is None:
            return words
        encoded = words.encode()
        fitting = encoded[: max(self._bytes_left, 0)].decode(errors="ignore")
        self._bytes_left -= len(encoded)
        return fitting

    def _spent(self) -> bool:
        return self._bytes_left is not None and self._bytes_left < 0

    def _numbered(self, event: Mapping[str, Any]) -> Json:
        self._sequence += 1
        return {**event, "sequence_number": self._sequence - 1}

    def _event(self, kind: str, **fields: Any) -> Json:
        return self._numbered({"type": kind, **fields})
