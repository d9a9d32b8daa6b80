"""Run the steps of the scenarios with this client."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any, ClassVar

from conforming import shapes
from conforming.faces import Face
from conforming.given import answers_of, input_of, options_of, text_of, tool_of
from conforming.lines import Lines
from conforming.transcript import Transcript
from trunkline import Done, Event, SessionPage, Start, TextDelta, TrunklineError, user

Json = dict[str, Any]

WAIT_S = 0.05
WAITS = 200
ASKING = ("stream", "complete", "run", "answer", "together", "compact")
STRIKE_ON = {"start": Start, "text": TextDelta}
CUT = "CONFORMANCE_CUT"
"""The variable that holds the address which cuts the connections."""


class Run:
    """One client for all scenarios."""

    def __init__(self, face: Face, transcript: Transcript, data: Json) -> None:
        self._face = face
        self._transcript = transcript
        self._model: str = data["model"]
        self._tools = {name: tool_of(name, **tool) for name, tool in data.get("tools", {}).items()}

    async def scenario(self, scenario: Json) -> None:
        self._transcript.scenario(scenario["name"])
        session_id = scenario.get("session", f"conformance.{self._transcript.run}.{scenario['name']}")
        conversation = self._face.client.conversation(
            session_id,
            model=self._model,
            instructions=scenario.get("instructions", ""),
            tools=[self._tools[name] for name in scenario.get("tools", [])],
        )
        ended: list[Done] = []
        for step in scenario["steps"]:
            self._transcript.line(f"> {step['do']}")
            await Step(self._face, self._transcript, conversation, step, ended).take()


class Step:
    """`ended` holds the ends of the scenario's turns so far."""

    def __init__(
        self, face: Face, transcript: Transcript, conversation: Any, step: Json, ended: list[Done]
    ) -> None:
        self._face = face
        self._ended = ended
        self._conversation = conversation
        self._step = step
        shown = shapes.masked if step.get("mask") else shapes.whole
        self._lines = Lines(
            transcript, shown, details=step.get("details", False), kept=step.get("kept", False)
        )
        key = step.get("key")
        self._session_id: str = conversation.session_id + (f".{key}" if key else "")

    async def take(self) -> None:
        steps = {
            "stream": self._stream,
            "complete": self._complete,
            "run": self._run,
            "answer": self._answer,
            "call": self._call,
            "together": self._together,
            "edit": self._edit,
            "compact": self._compact,
            "wait": self._wait,
            "warm": self._warm,
            "get": self._get,
            "list": self._list,
            "release": self._release,
            "cancel_turn": self._cancel_turn,
        }
        does = self._step["do"]
        try:
            await steps[does]()
        except TrunklineError as failed:
            self._lines.error(failed)
        if does in ASKING:
            self._lines.history(self._conversation.messages)

    async def _stream(self) -> None:
        await self._read(self._conversation.stream(input_of(self._step), **options_of(self._step)))

    async def _run(self) -> None:
        rounds = {"max_rounds": self._step["max_rounds"]} if "max_rounds" in self._step else {}
        await self._read(self._conversation.run(input_of(self._step), **rounds, **options_of(self._step)))

    async def _answer(self) -> None:
        waits = self._ended[-1].actions
        await self._read(self._conversation.answer(answers_of(self._step, waits), **options_of(self._step)))

    async def _read(self, turn: Any) -> None:
        strikes = {STRIKE_ON[self._step[name]]: name for name in self._strikes if name in self._step}
        silent, turn_id = False, ""
        async for event in self._face.events(turn):
            if silent:
                continue
            self._lines.event(event)
            if isinstance(event, Start):
                turn_id = event.turn_id
            if isinstance(event, Done):
                self._ended.append(event)
            if name := strikes.pop(type(event), ""):
                silent = name != "cut_on"
                await self._strikes[name](self, turn, turn_id)

    async def _cancel(self, turn: Any, _turn_id: str) -> None:
        turn.cancel()

    async def _stop(self, _turn: Any, turn_id: str) -> None:
        await self._face.call(self._face.client.cancel_turn, self._session_id, turn_id=turn_id)

    async def _cut(self, _turn: Any = None, _turn_id: str = "") -> None:
        host, _, port = os.environ[CUT].rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await reader.read()
        writer.close()

    _strikes: ClassVar = {"cancel_on": _cancel, "stop_on": _stop, "cut_on": _cut}

    async def _complete(self) -> None:
        cutting = asyncio.ensure_future(self._cut_later())
        try:
            complete = self._conversation.complete
            self._lines.event(await self._face.call(complete, input_of(self._step), **options_of(self._step)))
        finally:
            await cutting

    async def _cut_later(self) -> None:
        if "cut_after_ms" in self._step:
            await asyncio.sleep(self._step["cut_after_ms"] / 1000)
            await self._cut()

    async def _call(self) -> None:
        await self._read(self._beside(self._step))

    async def _together(self) -> None:
        first, second = [self._face.events(self._beside(turn)) for turn in self._step["turns"]]
        begun: list[Event] = []
        failed: TrunklineError | None = None
        try:
            async for event in first:
                begun.append(event)
                if isinstance(event, Start):
                    break
        except TrunklineError as error:
            failed = error
        beside = await _gathered(second)
        rest = (*begun, *([failed] if failed else await _gathered(first)))
        self._lines.all(rest)
        self._lines.word("and")
        self._lines.all(beside)

    def _beside(self, turn: Json) -> Any:
        conversation = self._conversation
        return self._face.client.stream(
            session_id=conversation.session_id,
            model=conversation.model,
            instructions=conversation.instructions,
            tools=conversation.tools,
            messages=[*conversation.messages, user(text_of(turn) or "")],
            turn_key=turn.get("turn_key", ""),
            after_sequence=turn.get("after_sequence", 0),
            **options_of(turn),
        )

    async def _edit(self) -> None:
        self._conversation.messages[self._step["index"]] = user(self._step["text"])

    async def _compact(self) -> None:
        self._lines.compaction(await self._face.call(self._conversation.compact))

    async def _wait(self) -> None:
        for _ in range(WAITS):
            try:
                session = await self._face.call(self._face.client.get_session, self._session_id)
            except TrunklineError:
                return
            if session.line_state not in ("busy", "dialing"):
                return
            await asyncio.sleep(WAIT_S)

    async def _warm(self) -> None:
        conversation = self._conversation
        self._lines.session(
            await self._face.call(
                self._face.client.warm_session,
                self._session_id,
                model=conversation.model,
                instructions=conversation.instructions,
                tools=conversation.tools,
                prime=self._step.get("prime", False),
            )
        )

    async def _get(self) -> None:
        session = await self._face.call(self._face.client.get_session, self._session_id)
        self._lines.session(session)
        if self._step.get("turns"):
            self._lines.turns(session)

    async def _list(self) -> None:
        token = ""
        while True:
            page: SessionPage = await self._face.call(
                self._face.client.list_sessions, page_size=self._step["page_size"], page_token=token
            )
            for session in page.sessions:
                if session.session_id.startswith(f"{self._conversation.session_id}."):
                    self._lines.session(session)
            token = page.next_page_token
            if not token:
                return

    async def _release(self) -> None:
        await self._face.call(self._face.client.release_session, self._session_id)
        self._lines.word("released")

    async def _cancel_turn(self) -> None:
        key = self._step["turn_key"]
        await self._face.call(self._face.client.cancel_turn, self._session_id, turn_key=key)
        self._lines.word("cancelled")


async def _gathered(events: AsyncIterator[Event]) -> list[Event | TrunklineError]:
    """What is left of them, and the error that ended them."""
    found: list[Event | TrunklineError] = []
    try:
        async for event in events:
            found.append(event)  # noqa: PERF401 - what came before an error counts
    except TrunklineError as failed:
        found.append(failed)
    return found
