"""Read a kept turn from one of its events on, in the task of the call that wants it: `Reader`.

To the call it is what `Turn` is to a call without a key: batches of events, and what to say of the turn. It
begins after `position` events, which is the `after_sequence` of a call that attaches.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from service.domain.errors import Reason, TurnError, Violation
from service.domain.events import Completed, Event, Started, Usage
from service.domain.messages import Message
from service.domain.report import TurnReport
from service.sessions.kept import KeptTurn, Snapshot


class Reader:
    """Read `kept` after its first `position` events. `attached`: this call did not start the turn.

    `heartbeat_s`: yield an empty batch so often while nothing happens; None: never.
    """

    def __init__(
        self, kept: KeptTurn, position: int, *, attached: bool, heartbeat_s: float | None = None
    ) -> None:
        self.position = position
        """The sequence of the last event that the call has got."""
        self.attached = attached
        self._kept = kept
        self._heartbeat_s = heartbeat_s
        self._last: Event | None = None
        self._scope = asyncio.timeout(None)

    def __repr__(self) -> str:
        return f"Reader(after {self.position} of {self._kept!r})"

    @property
    def dispatched(self) -> bool:
        """Whether something may have reached the upstream."""
        return self._kept.dispatched

    @property
    def completed(self) -> bool:
        """Whether the call has got the whole answer, now or before."""
        return self._kept.completed and self.position == self._kept.last_sequence

    @property
    def usage(self) -> Usage | None:
        return self._kept.snapshot().usage

    def report(self) -> TurnReport:
        """Return the report of the event that was read last, if it has one, or else that of now."""
        report = self._snapshot().report
        return replace(report, attached=True) if self.attached else report

    def partial(self) -> Message | None:
        return self._kept.snapshot().partial

    @asynccontextmanager
    async def reading(self, linger_s: float) -> AsyncGenerator[Reader, None]:
        """Own the turn for as long as the block lasts; afterwards it lives for `linger_s` seconds.

        Raises TurnError TAKEN_OVER, wherever the block is, when a newer call owns the turn.
        """
        try:
            async with self._scope:
                self._kept.attach(self, linger_s)
                yield self
        except TimeoutError:
            if not self._scope.expired():
                raise
            raise _taken_over() from None
        finally:
            self._kept.leave(self)

    def take_over(self) -> None:
        """A newer call owns the turn: end this one, which may wait for its caller to read."""
        if not self._scope.expired():
            self._scope.reschedule(asyncio.get_running_loop().time())

    async def batches(self) -> AsyncGenerator[list[Event], None]:
        """Yield the events as they are there. An empty batch is a heartbeat.

        Raises the turn's own error at its end, and INVALID_REQUEST if the turn has never had the events that
        the call says it has.
        """
        kept = self._kept
        while True:
            if kept.reader is not self:
                raise _taken_over()
            batch = kept.after(self.position)
            if batch:
                self.position += len(batch)
                self._last = batch[-1]
                yield batch
            elif kept.ended:
                check_position(kept, self.position)
                if kept.failure is not None:
                    self._last = None
                    raise kept.failure
                return
            elif not await self._news():
                yield batch

    async def _news(self) -> bool:
        """Wait for news of the turn. Returns False when it is time for a heartbeat."""
        self._kept.news.clear()
        if self._heartbeat_s is None:
            await self._kept.news.wait()
            return True
        try:
            async with asyncio.timeout(self._heartbeat_s):
                await self._kept.news.wait()
        except TimeoutError:
            return not self.dispatched  # of a call that sent nothing upstream, nothing is sent to the caller
        return True

    def _snapshot(self) -> Snapshot:
        of_event = self._last if isinstance(self._last, Started | Completed) else None
        return self._kept.snapshot(of_event)


def check_position(kept: KeptTurn, position: int) -> None:
    """Raise TurnError when a turn cannot be read after this event.

    INVALID_REQUEST: it has never had so many events, its `error` included. OVERLOADED: those that follow are
    no longer kept.
    """
    if kept.ended and position > kept.last_sequence + (kept.failure is not None):
        description = f"is {position}, but the turn has had {kept.last_sequence} events; send the last one's"
        violation = Violation("after_sequence", description)
        raise TurnError(Reason.INVALID_REQUEST, f"after_sequence: {description}", violations=(violation,))
    if position < kept.dropped:
        message = (
            f"the turn's events up to {kept.dropped} are no longer kept (TRUNKLINE_MAX_KEPT_BYTES_PER_TURN)"
        )
        raise TurnError(Reason.OVERLOADED, message, retryable=False)


def _taken_over() -> TurnError:
    return TurnError(Reason.TAKEN_OVER, "a newer call with the same turn_key reads this turn")
