"""Turn a script into the events of one response.

The player is a generator of actions: an event (a dict), a pause (`Wait`), a wait for the test
(`Gate`), an error (`Fail`), or a fault of the connection (`Drop`, `Close`, ...). It has no clock and no
socket. `Upstream` carries the actions out over a WebSocket or over HTTP, so that both transports send
the same events for the same script, and a unit test reads the whole sequence as a list.

The steps of a script drive three states:

    not started --Start or any content--> started --Complete, Incomplete, Fail, end of script--> ended

An ending closes the item that is still open. After it, content is skipped, while `Emit`, `Wait`, `Gate`
and faults are still played: an event after the end is a case that clients must survive.

Example: `Script(Say("Hi there."), Drop())` yields

    response.created, response.in_progress                        (implied by the first content)
    response.output_item.added, response.content_part.added
    response.output_text.delta "Hi ", response.output_text.delta "there."
    response.output_text.done, response.content_part.done, response.output_item.done
    Drop()

The player would go on to `response.completed`, but `Drop` ends the connection and `Upstream` reads no
further.

`max_output_tokens` is counted in bytes of text, four to a token. The step that exceeds it is cut at a
whole character, and the response ends as incomplete.

Cost: 0.6 µs of CPU an event (100,000 deltas in one message, CPython 3.11), beside 0.2 µs to encode it
as JSON. Playing is not what limits the simulator; sending is.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from simulator.errors import Json
from simulator.ids import Ids
from simulator.items import ItemBuilder, encrypted
from simulator.memory import BYTES_PER_TOKEN
from simulator.response import Prompt
from simulator.scripts.faults import Fault
from simulator.scripts.steps import (
    AfterEnding,
    Call,
    Complete,
    Content,
    Emit,
    Fail,
    Gate,
    Incomplete,
    Item,
    Pace,
    Progress,
    Reason,
    Refuse,
    Say,
    Script,
    Start,
    Step,
    Wait,
)

Action = Json | Wait | Gate | Fail | Fault


class Player:
    """Plays one script, once."""

    def __init__(
        self, response: Json, prompt: Prompt, ids: Ids, pace: Pace, *, include: Collection[str], now: int
    ) -> None:
        self._response = response
        self._prompt = prompt
        self._ids = ids
        self._pace = pace
        self._encrypt = "reasoning.encrypted_content" in include
        self._logprobs = "message.output_text.logprobs" in include
        self._now = now
        self._sequence = 0
        self._started = False
        self._ended = False
        self._output: list[Json] = []
        self._open: ItemBuilder | None = None
        limit = response["max_output_tokens"]
        self._bytes_left: int | None = None if limit is None else limit * BYTES_PER_TOKEN

    def play(self, script: Script) -> Iterator[Action]:
        """Play all steps in order. After an ending, only pauses, stray events and faults are played."""
        for step in script.steps:
            if not self._ended or isinstance(step, AfterEnding):
                yield from self._perform(step)
        if not self._ended:
            yield from self._completed()

    def play_without_output(self, script: Script) -> Iterator[Action]:
        """Play a script for a warm-up: without its content, but with its failures and faults."""
        kept = (step for step in script.steps if not isinstance(step, Content | Incomplete))
        yield from self.play(Script(*kept))

    def _perform(self, step: Step) -> Iterator[Action]:
        match step:
            case Say() | Refuse() | Reason() | Call() | Item():
                yield from self._close_item()
                yield from self._write(step)
                if self._limit_reached():
                    yield from self._incomplete("max_output_tokens")
            case Start(queued):
                yield from self._start(queued=queued)
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

    def _write(self, step: Content) -> Iterator[Action]:
        match step:
            case Say():
                yield from self._message(step)
            case Refuse(text):
                yield from self._message(Say(text), "refusal")
            case Reason():
                yield from self._reason(step)
            case Call():
                yield from self._call(step)
            case Item():
                yield from self._item(step)

    # How a response begins and ends

    def _start(self, *, queued: bool = False) -> Iterator[Action]:
        if not self._started:
            self._started = True
            yield self._event("response.created", response=self._response)
            if queued:
                yield self._event("response.queued", response={**self._response, "status": "queued"})
            yield self._event("response.in_progress", response=self._response)

    def _completed(self) -> Iterator[Action]:
        yield from self._start()
        yield from self._close_item()
        yield self._ending("completed", completed_at=self._now)

    def _incomplete(self, reason: str) -> Iterator[Action]:
        yield from self._start()
        yield from self._close_item("incomplete")
        yield self._ending("incomplete", incomplete_details={"reason": reason})

    def _failed(self, fail: Fail) -> Iterator[Action]:
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

    def _message(self, step: Say, kind: str = "output_text") -> Iterator[Action]:
        item: Json = {
            "id": self._ids.new("msg"),
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
        }
        item |= {"phase": step.phase} if step.phase else {}
        builder = ItemBuilder(item, len(self._output), logprobs=self._logprobs)
        yield from self._begin(builder)
        for number, words in enumerate((step.text, *step.more)):
            yield from self._number_all(builder.part_end())
            fitting = self._within_limit(words)
            citations = () if number else step.citations
            pieces = self._pieces(fitting[: step.streamed])
            yield from self._paced(builder.part(kind, fitting, pieces, citations))
            if self._limit_reached():
                return
        if step.closed:
            yield from self._close_item()

    def _reason(self, step: Reason) -> Iterator[Action]:
        item_id = step.item_id or self._ids.new("rs")
        builder = ItemBuilder({"id": item_id, "type": "reasoning"}, len(self._output))
        yield from self._begin(builder)
        for words in step.summary:
            self._within_limit(words)
            yield from self._paced(builder.summary(words, self._pieces(words)))
        if step.text:
            self._within_limit(step.text)
            yield from self._paced(builder.part("reasoning_text", step.text, self._pieces(step.text)))
            yield from self._number_all(builder.part_end())
        if self._encrypt:
            builder.item["encrypted_content"] = encrypted(builder.item)
        yield from self._close_item()

    def _call(self, step: Call) -> Iterator[Action]:
        item: Json = {"id": self._ids.new("fc"), "type": "function_call", "status": "in_progress"}
        item |= {"name": step.name} | ({"namespace": step.namespace} if step.namespace else {})
        builder = ItemBuilder({**item, "call_id": step.call_id or self._ids.new("call")}, len(self._output))
        yield from self._begin(builder)
        fitting = self._within_limit(step.arguments)
        yield from self._paced(builder.arguments(fitting, self._pieces(fitting)))
        if step.closed and not self._limit_reached():
            yield from self._close_item()

    def _item(self, step: Item) -> Iterator[Action]:
        call = {"call_id": self._ids.new("call")} if step.called else {}
        item = {"id": self._ids.new(step.prefix), "type": step.type, **call, **step.fields}
        builder = ItemBuilder({**item, **step.begun}, len(self._output))
        yield from self._begin(builder)
        for event in step.events:
            if isinstance(event, Progress):
                yield self._numbered(builder.event(event.event, event.fields))
                continue
            fitting = self._within_limit(event.text)
            for piece in self._pieces(fitting):
                yield from self._paced(
                    [builder.event(f"{event.event}.delta", {**event.fields, "delta": piece})]
                )
            if event.name in item:
                item[event.name] = fitting
            whole = {**event.fields, event.name: fitting}
            yield self._numbered(builder.event(f"{event.event}.done", whole))
        builder.item.update(item)
        if step.closed:
            yield from self._close_item(item.get("status", "completed"))

    def _begin(self, builder: ItemBuilder) -> Iterator[Action]:
        yield from self._start()
        self._open = builder
        yield from self._number_all([builder.added()])

    def _close_item(self, status: str = "completed") -> Iterator[Action]:
        """Close the item that is still open, if any."""
        if self._open is not None:
            yield from self._number_all(self._open.end(status))
            self._output.append(self._open.item)
            self._open = None

    # Pace, token limit, sequence numbers

    def _pieces(self, words: str) -> list[str]:
        size = self._pace.delta_size
        if size is None:
            return re.findall(r"\S+\s*|\s+", words)
        return [words[start : start + size] for start in range(0, len(words), size)]

    def _paced(self, events: Iterable[Json]) -> Iterator[Action]:
        for event in events:
            if self._pace.delay_s and event["type"].endswith(".delta"):
                yield Wait(self._pace.delay_s)
            yield self._numbered(event)

    def _number_all(self, events: Iterable[Json]) -> Iterator[Action]:
        for event in events:
            yield self._numbered(event)

    def _within_limit(self, words: str) -> str:
        """Return as much of the text as `max_output_tokens` still allows; never half a character."""
        if self._bytes_left is None:
            return words
        encoded = words.encode()
        fitting = encoded[: max(self._bytes_left, 0)].decode(errors="ignore")
        self._bytes_left -= len(encoded)
        return fitting

    def _limit_reached(self) -> bool:
        return self._bytes_left is not None and self._bytes_left < 0

    def _numbered(self, event: Mapping[str, Any]) -> Json:
        self._sequence += 1
        return {**event, "sequence_number": self._sequence - 1}

    def _event(self, kind: str, **fields: Any) -> Json:
        return self._numbered({"type": kind, **fields})
