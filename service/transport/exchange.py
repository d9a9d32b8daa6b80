"""One exchange: a request written upstream, and its answer as batches of domain events.

Owns the order of things (write, wait, read, decode) and the named waits between them; the same for every
channel, so that the same upstream events give the same domain events over each. Must never know sessions,
leases or whether it is a replay.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from service.domain.errors import Reason, TurnError
from service.domain.events import Event, Started, Usage
from service.domain.messages import Message
from service.domain.plan import Plan
from service.transport.channel import Channel, Waits
from service.wire.request import bytes_saved
from service.wire.response_decoder import ResponseDecoder

NO_NEWS = frozenset(
    {
        "response.content_part.added",
        "response.content_part.done",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done",
    }
)
"""Events of every answer, which say only what others say, too."""

AWAITED = 1
"""So many reads with content are awaited; those behind them may wait (`Channel.receive`). A short answer is
told as it comes.
"""


class Exchange:
    """One request and its answer. Used once. `dispatched`: the upstream may have seen some of it."""

    def __init__(self, channel: Channel, request: bytes | bytearray, plan: Plan, waits: Waits) -> None:
        self.plan = plan
        self.dispatched = False
        self._channel = channel
        self._request = request
        self._bytes_sent = len(request)
        self._waits = waits
        self._decoder = ResponseDecoder(continuing=plan.incremental)

    @property
    def orderly(self) -> bool:
        """The upstream ended the response itself, and nothing more of it can come: the line is free again."""
        return self._decoder.orderly

    @property
    def bytes_sent(self) -> int:
        return self._bytes_sent

    @property
    def bytes_saved(self) -> int:
        """How much longer the same request would have been in full."""
        return bytes_saved(self.plan)

    @property
    def size(self) -> int:
        """What the request and the answer take."""
        return self._bytes_sent + self._decoder.size

    @property
    def usage(self) -> Usage | None:
        return self._decoder.usage

    @property
    def ignored(self) -> dict[str, int]:
        """What meant nothing here, by kind; all but what never does."""
        return {kind: number for kind, number in self._decoder.ignored.items() if kind not in NO_NEWS}

    def partial(self) -> Message | None:
        return self._decoder.partial()

    async def batches(self) -> AsyncGenerator[list[Event], None]:
        """The events of the answer, all of one read together. Ends behind the terminal event; raises
        TurnError.

        Left early or cancelled: the channel is in the middle of an answer and must not be used again.
        """
        try:
            await self._send()
            async with aclosing(self._answer()) as answer:
                async for events in answer:
                    yield events
        except TurnError as error:
            if error.reason in (Reason.CONNECT_FAILED, Reason.OVERLOADED):
                self.dispatched = False  # These prove the opposite of what had to be assumed.
            raise

    async def _answer(self) -> AsyncGenerator[list[Event], None]:
        wait, name = self._waits.first_event_s, "FIRST_EVENT_TIMEOUT_S"
        told = 0
        while not self._decoder.finished:
            try:
                frames = await self._channel.receive(wait, may_wait=told > AWAITED)
            except TimeoutError as exc:
                raise _out_of_time("the wait for the upstream's next event", wait, name) from exc
            wait, name = self._waits.idle_s, "IDLE_TIMEOUT_S"
            events: list[Event] = []
            try:
                self._decoder.feed(frames, events)
            except TurnError:
                if events:
                    yield events
                raise
            del frames  # a large one is not held while the next is waited for
            if events:
                yield events
                told += not isinstance(events[-1], Started)

    async def _send(self) -> None:
        await self._channel.settle()
        if not self._channel.open:
            raise TurnError(Reason.CONNECTION_LOST, "the line closed before the request was written")
        self.dispatched = True
        wait = self._waits.send_s
        try:
            # It is let go of: whoever sends it again writes it again, and an answer may take minutes.
            request, self._request = self._request, b""
            await self._channel.send(request, wait)
        except TimeoutError as exc:
            raise _out_of_time("writing the request", wait, "SEND_TIMEOUT_S") from exc


def _out_of_time(what: str, wait_s: float, setting: str) -> TurnError:
    return TurnError(Reason.TIMEOUT, f"{what} took longer than {wait_s:g} s (TRUNKLINE_{setting})")
