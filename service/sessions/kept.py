"""Run a turn in a task of its own and keep its events, so that it outlives its caller: `KeptTurn`.

Its states are those of `service.domain.keeping`.

The events of a turn take at most `per_turn` bytes. A turn that has more drops the older half of what its
reader has got, so it cannot be attached to from its beginning any more. If there is nothing to drop, since
its reader is slow or away, it waits, and with it the upstream: nothing is lost, and the linger ends that
wait too. A single batch is always kept if nothing else is, so that a turn with a reader never stops for want
of room.

The turn's task never waits for a write to a caller, and readers never touch the upstream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.domain.errors import Reason, TurnError, forget_frames
from service.domain.events import Completed, Event, Started, Usage
from service.domain.keeping import TRANSITIONS, Signal, State
from service.domain.messages import Message, Transport
from service.domain.report import TransportReason, TurnReport, TurnView
from service.sessions.early_end import stopped
from service.sessions.kept_bytes import TURN_BYTES, KeptBytes, size_of, total

if TYPE_CHECKING:
    from service.sessions.budget import Hold
    from service.sessions.reader import Reader
    from service.sessions.turn import Turn


NOT_ADMITTED = TurnReport("", Transport.AUTO, TransportReason.PREFERRED)
"""The report of a turn that has no place yet: it has no id."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a call says of the turn in its `start`, its `done` or its `error`."""

    dispatched: bool = False
    report: TurnReport = NOT_ADMITTED
    usage: Usage | None = None
    partial: Message | None = None


class KeptTurn:
    """Keep one turn of `tenant` in `room`. Without a `key` only what its reader has not got yet is kept.

    `began`: seconds of the epoch. `gone` is called once, when nobody can attach to it any more.
    """

    def __init__(
        self,
        tenant: str,
        room: KeptBytes,
        *,
        key: str,
        began: float,
        linger_s: float,
        gone: Callable[[], object],
    ) -> None:
        self.state = State.READ
        self.news = asyncio.Event()
        """Set when there are events, or the end, that a reader may not have."""
        self.failure: BaseException | None = None
        self._tenant = tenant
        self._room = room
        self._most = room.per_turn if key else 0
        self._key = key
        self._began = began
        self._linger_s = linger_s
        self._gone = gone
        self._free = asyncio.Event()
        self._events: list[Event] = []
        self._dropped = 0
        self._bytes = 0
        self._over = False
        self._turn: Turn | None = None
        self._task: asyncio.Task[None] | None = None
        self._reader: Reader | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._started, self._completed, self._end = Snapshot(), Snapshot(), Snapshot()
        self._account(TURN_BYTES)

    def __repr__(self) -> str:
        return f"KeptTurn({self.state.value}, {self.last_sequence} events, {self._bytes} bytes)"

    @property
    def dropped(self) -> int:
        """The sequence of the last event that is no longer kept."""
        return self._dropped

    @property
    def last_sequence(self) -> int:
        return self._dropped + len(self._events)

    @property
    def ended(self) -> bool:
        return self._over

    @property
    def completed(self) -> bool:
        return self._completed.report is not NOT_ADMITTED

    @property
    def turn_id(self) -> str:
        """Empty while it waits for a place."""
        return self._end.report.turn_id if self._turn is None else self._turn.report().turn_id

    @property
    def reader(self) -> Reader | None:
        """The newest call that reads the turn."""
        return self._reader

    @property
    def dispatched(self) -> bool:
        """Whether something may have reached the upstream."""
        return self._end.dispatched if self._turn is None else self._turn.dispatched

    def snapshot(self, last: Event | None = None) -> Snapshot:
        """Return what is known: as of this event, if it is a start or an end, or else as of now."""
        match last:
            case Started():
                return self._started
            case Completed():
                return self._completed
        return self._end if self._turn is None else _snapshot(self._turn, partial=True)

    def view(self) -> TurnView:
        attached = self._reader is not None
        return TurnView(self.turn_id, self._key, self._began, attached, self._over, self.last_sequence)

    # The turn's task

    def start(self, running: AbstractAsyncContextManager[Turn], hold: Hold) -> asyncio.Task[None]:
        """Start the turn and return its task. Its request's bytes are held until it has ended."""
        hold.pin()

        def ended(task: asyncio.Task[None]) -> None:
            hold.unpin()
            self._ended(task)

        self._task = asyncio.create_task(self._run(running), name="turn")
        self._task.add_done_callback(ended)
        return self._task

    async def stopped(self) -> None:
        """Wait until the turn's task has ended."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self, running: AbstractAsyncContextManager[Turn]) -> None:
        async with running as turn, aclosing(turn.batches()) as batches:
            self._turn = turn
            async for batch in batches:
                await self._keep(batch, turn)

    async def _keep(self, batch: list[Event], turn: Turn) -> None:
        size = total(batch)
        while self._events and not self._fits(size):
            if not self._drop_read():
                self._free.clear()
                with self._room.waiting(self._free):
                    await self._free.wait()
        if isinstance(batch[0], Started):
            self._started = _snapshot(turn)
        if isinstance(batch[-1], Completed):
            self._completed = _snapshot(turn)
        self._events += batch
        self._account(size)
        self.news.set()

    def _fits(self, size: int) -> bool:
        return self._bytes + size <= self._most and self._room.fits(self._tenant, size)

    def _drop_read(self) -> bool:
        """Drop the older half of what the reader has got. Return False when there is none of it."""
        read = 0 if self._reader is None else self._reader.position - self._dropped
        if read <= 0:
            return False
        old = self._events[: (read + 1) // 2]
        del self._events[: len(old)]
        self._dropped += len(old)
        self._account(-total(old))
        return True

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._over = True
        if self.completed:
            self._end = self._completed
        else:
            self.failure = stopped() if task.cancelled() else task.exception()
            forget_frames(self.failure)  # they refer to the turn and all that it used
            self._end = Snapshot() if self._turn is None else _snapshot(self._turn, partial=True)
            self._account(size_of(self._end.partial))
        if not task.cancelled():
            task.exception()  # a failure after the last event concerns nobody
        self._turn = self._task = None  # a task that is done still refers to its context, and so to the call
        self._advance(Signal.END)
        self.news.set()
        if self.state is State.GONE:
            self._clear()
        elif self.failure is not None and (not self._end.dispatched or _was_cancelled(self.failure)):
            self.forget()
        elif self._reader is None:
            self._wait()

    # Its readers

    def attach(self, reader: Reader, linger_s: float) -> None:
        """Make this the call that owns the turn, and end the one that did until now."""
        before, self._reader = self._reader, reader
        self._linger_s = linger_s
        self._advance(Signal.ATTACH)
        self._stop_timer()
        if before is not None:
            before.take_over()

    def leave(self, reader: Reader) -> None:
        """This call reads no more. Ignore one that does not own the turn."""
        if self._reader is reader:
            self._reader = None
            self._advance(Signal.LEAVE)
            if self.state is State.GONE:
                self._clear()
            else:
                self._wait()

    def after(self, position: int) -> list[Event]:
        """Return the events after this one. A start comes alone: what it reports is of its moment."""
        first = position - self._dropped
        self._free.set()
        if first < len(self._events) and isinstance(self._events[first], Started):
            return [self._events[first]]
        return self._events[first:]

    def forget(self) -> None:
        """Let nobody attach any more, and stop the turn if it runs."""
        self._advance(Signal.FORGET)
        self._stop_timer()
        self._gone()
        if self._task is not None:
            self._task.cancel()
        self._clear()

    def _wait(self) -> None:
        """Nobody reads the turn: forget it after the linger."""
        if self._linger_s <= 0:
            self.forget()
        else:
            self._stop_timer()
            self._timer = asyncio.get_running_loop().call_later(self._linger_s, self.forget)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _advance(self, signal: Signal) -> None:
        self.state = TRANSITIONS[self.state, signal]

    def _account(self, size: int) -> None:
        self._bytes += size
        if size > 0:
            self._room.take(self._tenant, size)
        elif size < 0:
            self._room.release(self._tenant, -size)

    def _clear(self) -> None:
        """Give the memory back, once it is gone, its task has ended and nobody reads it."""
        if self.state is State.GONE and self._reader is None and self.ended and self._bytes:
            self._dropped = self.last_sequence
            self._events.clear()
            self._account(-self._bytes)


def _snapshot(turn: Turn, *, partial: bool = False) -> Snapshot:
    return Snapshot(turn.dispatched, turn.report(), turn.usage, turn.partial() if partial else None)


def _was_cancelled(failure: BaseException) -> bool:
    return isinstance(failure, TurnError) and failure.reason is Reason.CANCELLED
