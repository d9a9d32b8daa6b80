"""All that callers and lines can do, in any order that chance comes up with: no word lost or doubled."""

import asyncio
from contextlib import suppress
from random import Random

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import message_pb2 as m
from tests.integration.service.talk import PATIENCE_S, SSE, WEBSOCKET
from tests.stack import Stack, request, text_of, user

STEPS = 40
TOLERATED = {grpc.StatusCode.ABORTED, grpc.StatusCode.RESOURCE_EXHAUSTED}
"""How a turn may fail whose line is cut in its answer, or that insists on one where all are busy."""


class Caller:
    """One conversation; its caller edits, leaves, forks and insists as the dice fall."""

    def __init__(self, replica: Stack, session: str, dice: Random) -> None:
        self.replica = replica
        self.session = session
        self.dice = dice
        self.messages: list[m.Message] = []
        self.tokens = [""]
        self.said = 0
        self.answered = 0

    async def live(self) -> None:
        acts = [self.turn] * 6 + [
            self.two_at_once,
            self.leave,
            self.edit,
            self.go_back,
            self.cut,
            self.release,
        ]
        for _ in range(STEPS):
            await self.dice.choice(acts)()

    async def turn(self) -> None:
        self.messages = await self.ask(self.messages) or self.messages

    async def two_at_once(self) -> None:
        """The same past, two futures: the caller goes on with one of them."""
        one, other = await asyncio.gather(self.ask(self.messages), self.ask(self.messages))
        self.messages = self.dice.choice([one or self.messages, other or self.messages])

    async def ask(self, past: list[m.Message]) -> list[m.Message] | None:
        """One turn that says a word nobody said before, and asks for one back. None: its line was cut."""
        self.said += 1
        word = f"{self.session}-{self.said}"
        wanted = request(
            *past,
            f"sim:say(text=Answer {word}.)",
            session=self.session,
            options={
                **self.dice.choice([{}, {}, {}, SSE, WEBSOCKET, {"warm_up": True}]),
                **self.dice.choice([{}, {"store": True}, {"store": True}]),
            },
            instructions=self.dice.choice(["", f"It is {word} now."]),
            continuation=self.dice.choice(self.tokens[-3:]),
        )
        try:
            events = await self.replica.turn(wanted, timeout=PATIENCE_S)
        except grpc.aio.AioRpcError as error:
            if error.code() not in TOLERATED:
                raise
            return None
        self.answered += 1
        done = events[-1].done
        assert bool(done.continuation) == wanted.options.store
        self.tokens.append(done.continuation)
        assert text_of(events) == f"Answer {word}."
        self.check(done.report, len(wanted.messages))
        return [*wanted.messages, done.message]

    def check(self, report: pb.TurnReport, items: int) -> None:
        """The model had the whole conversation, each item once: known or sent."""
        (received,) = (
            one for one in self.replica.simulator.requests if one.response_id == report.response_id
        )
        assert received.known_items + received.new_items == items
        assert received.repeated_items == 0
        assert received.size == report.bytes_sent
        assert (received.previous_response_id is not None) == (report.context == pb.CONTEXT_INCREMENTAL)

    async def leave(self) -> None:
        wanted = request(*self.messages, "sim:slow(n=1000, delay_ms=1)", session=self.session)
        call = self.replica.completions.StreamCompletion(wanted, timeout=PATIENCE_S)
        with suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
            async for _ in call:
                if self.dice.random() < 0.3:
                    call.cancel()

    async def edit(self) -> None:
        for number, message in enumerate(self.messages):
            if message.role == m.ROLE_USER and self.dice.random() < 0.2:
                self.said += 1
                self.messages[number] = user(f"Edited {self.session}-{self.said}.")

    async def go_back(self) -> None:
        del self.messages[2 * self.dice.randint(0, len(self.messages) // 2) :]

    async def cut(self) -> None:
        self.replica.simulator.drop_all(self.dice.choice([None, 1000, 1001, 1011]))

    async def release(self) -> None:
        self.replica.manager.release("", self.session)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("lines", [2, 100], ids=["few lines", "many lines"])
async def test_whatever_happens_the_model_hears_each_word_once(start, seed, lines):
    # Without a breaker: lines that are cut before their first word would open it, and some callers insist.
    settings = {"MAX_CONNECTIONS": str(lines), "CONNECT_TIMEOUT_S": "20", "COOLDOWN_S": "0"}
    replica = await start(settings)
    callers = [Caller(replica, f"s{number}", Random(f"{seed}-{number}")) for number in range(4)]
    await asyncio.gather(*(caller.live() for caller in callers))
    assert sum(caller.answered for caller in callers) > STEPS
