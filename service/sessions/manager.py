"""Manage the sessions, the pool, the running turns and the background task that expires them: `Manager`.

Sessions are a cache, so they are never a reason to refuse a turn: one that is busy is forked, one that is
gone is made again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from random import Random

from service.domain.errors import Reason, TurnError
from service.domain.messages import CompletionRequest
from service.domain.report import SessionView
from service.domain.tenant import Caller
from service.domain.turn_record import TurnRecord
from service.sessions.admission import Admission, TenantLimits
from service.sessions.budget import Budget, Hold
from service.sessions.compaction import Compactions
from service.sessions.endpoint import Endpoint
from service.sessions.heap import Heap
from service.sessions.kept_bytes import KeptBytes
from service.sessions.kept_turns import KeptTurns
from service.sessions.registry import Registry
from service.sessions.running import Running
from service.sessions.session import Session, SessionState
from service.sessions.settings import SessionSettings
from service.sessions.turn import Turn
from service.sessions.turn_finder import TurnFinder
from service.sessions.upstreams import Upstreams
from service.sessions.warmup import warm_up_rate
from service.telemetry import turn_metrics
from service.telemetry.calls import Call
from service.telemetry.gauges import Counts
from service.telemetry.telemetry import OFF, Telemetry
from service.telemetry.turn_publisher import TurnTrace

REAPER_PERIOD_S = 1.0


class Manager:
    """Run turns and warm-ups. Make it in the running event loop, `start` it, and `close` it.

    `trim` returns freed memory to the system.
    """

    def __init__(
        self,
        settings: SessionSettings,
        upstreams: Upstreams,
        *,
        trim: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        random: Random | None = None,
        telemetry: Telemetry = OFF,
    ) -> None:
        self._telemetry = telemetry
        self._settings = settings
        self._upstreams = upstreams
        self._wall = wall
        self._random = random or Random()
        self._registry = Registry(settings.max_sessions, settings.session_ttl_s, telemetry)
        self._admission = Admission(settings.max_turns, settings.queue_size, telemetry)
        self._tenant_limits = TenantLimits(clock, telemetry)
        self._budget = Budget(settings.max_request_bytes_in_flight, settings.max_request_bytes, telemetry)
        self._clock = clock
        self._rate = warm_up_rate(settings.max_dials, clock, telemetry)
        self._running = Running()
        room = KeptBytes(settings.max_kept_bytes, settings.max_kept_bytes_per_turn, telemetry)
        self.kept = KeptTurns(self.turn, room, wall, telemetry)
        self.finder = TurnFinder(self._registry, self._running, self.kept)
        self._refusing = False
        self.compactions = Compactions(
            upstreams,
            self._registry,
            tenant_limits=self._tenant_limits,
            admission=self._admission,
            running=self._running,
            check_serving=self._check_serving,
            limit_s=settings.turn_timeout_s,
            telemetry=telemetry,
        )
        self._heap = Heap(trim)
        self._reaper: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"Manager({self._running!r}, {self._registry!r}, {self._upstreams!r})"

    def start(self) -> None:
        """Start the reaper: sessions expire, connections rotate and spares are dialled without any call."""
        self._reaper = asyncio.create_task(self._reap(), name="reaper")

    def check(self, caller: Caller, call: Call | None = None, *, warm_up: bool = False) -> None:
        """Refuse what can be refused before the request is read.

        Raises TurnError SHUTTING_DOWN, OVERLOADED or RATE_LIMITED. Unless it is a warm-up, that counts as a
        failed turn of unknown session and model. A tenant that has kept turns may attach to one whatever else
        is full: its calls are refused once they are read.
        """
        if self.kept.has(caller.tenant) and not warm_up:
            return
        try:
            self._check_serving()
            self._tenant_limits.check(caller)
            self._admission.check()
        except TurnError:
            if warm_up:
                raise
            record = TurnRecord(caller.tenant, _UNREAD, self._clock, self._wall)
            with TurnTrace(self._telemetry, call, record):
                raise

    def refused_unread(self) -> None:
        """A request was refused of which much may have been received: return its memory soon."""
        self._heap.refused()

    def hold(self, caller: Caller, size: int) -> Hold:
        """Return a context manager that holds the bytes of a request. Raises TurnError OVERLOADED."""
        return self._budget.hold(caller, size)

    def turn(
        self, caller: Caller, request: CompletionRequest, call: Call | None = None
    ) -> AbstractAsyncContextManager[Turn]:
        """Return a context manager that runs one turn for as long as its block lasts.

        Raises TurnError on entry when it was not admitted: nothing was sent. Raises TurnError on exit when
        its time ran out or the drain ended it, wherever the block was. Cancellation is the same as leaving
        the block: the upstream's answer is cut off before it returns.
        """
        return self._run(caller, request.session_id, request, call)

    async def warm(
        self, caller: Caller, session_id: str, prime: CompletionRequest | None, model: str = ""
    ) -> SessionView:
        """Open the session's connection, and with `prime` warm it up; return when it is open.

        `model`: the one that its turns will name, if that is known; it decides on the upstream.
        A warm-up takes the place of a turn. A session that is busy needs none. Raises TurnError when there is
        no place or no connection; the drain ends a warm-up at once with SHUTTING_DOWN.
        """
        known = self._registry.find(caller.tenant, session_id)
        if known is None or known.line is None:
            await self._rate.wait(caller.tenant, self._settings.connect_timeout_s)
        async with self._run(caller, session_id, prime, warms_up=True, model=model) as turn:
            if not turn.fork:
                await turn.warm_up()
        return turn.session.view()

    def release(self, tenant: str, session_id: str) -> None:
        """Forget the session and close its connection, after a turn that runs over it. Ignore unknown ids."""
        session = self._registry.find(tenant, session_id)
        if session is not None:
            self._forget(session)

    def counts(self) -> Counts:
        """Return the gauges of this moment. A warm-up counts as a turn, whose place it takes."""
        turns, queued, sessions = len(self._running), self._admission.waiting, len(self._registry)
        kept, lines, hold_s = self.kept, self._upstreams.counts(), self._upstreams.pace.delay_s
        left = self._tenant_limits.left()
        return Counts(turns, queued, sessions, lines, hold_s, len(kept), kept.kept_bytes, left)

    def refuse(self) -> None:
        """Refuse every new turn and warm-up from now on, and those that wait for a place or their rate."""
        self._refusing = True
        self._admission.dismiss(_shutting_down)
        self._rate.dismiss(_shutting_down)

    async def drain(self, grace_s: float) -> None:
        """End the warm-ups; let the running turns finish for `grace_s` seconds, then interrupt them."""
        self.refuse()
        await self._running.drain(grace_s)

    async def close(self) -> None:
        """Close all connections, including those of running turns."""
        self.refuse()
        if self._reaper is not None:
            self._reaper.cancel()
            await asyncio.wait([self._reaper])
        await self.kept.close()
        await self._upstreams.close()

    def _check_serving(self) -> None:
        if self._refusing:
            raise _shutting_down()

    @asynccontextmanager
    async def _run(
        self,
        caller: Caller,
        session_id: str,
        request: CompletionRequest | None,
        call: Call | None = None,
        *,
        warms_up: bool = False,
        model: str = "",
    ) -> AsyncGenerator[Turn, None]:
        """Run a turn or a warm-up in its place. Of a warm-up only its tokens are published."""
        limit = self._settings.turn_timeout_s
        record = TurnRecord(caller.tenant, request or _UNREAD, self._clock, self._wall)
        trace = None if warms_up else TurnTrace(self._telemetry, call, record)
        scope = asyncio.timeout(limit)
        turn: Turn | None = None
        with trace or turn_metrics.counting_warm_up(self._telemetry, record):
            try:
                async with scope:
                    self._check_serving()
                    with self._tenant_limits.take(caller, record), await self._admission.enter():
                        self._check_serving()
                        known = self._registry.find(caller.tenant, session_id)
                        choices = self._upstreams.choose(caller, record, known, model)
                        prepared = None
                        if request is not None:
                            prepared = await choices[0].prepare(request, caller.tenant)
                        session = await self._session(caller, session_id, choices[0].endpoint)
                        turn = Turn(
                            choices,
                            session,
                            prepared,
                            caller=caller,
                            record=record,
                            scope=scope,
                            trace=trace,
                            fork=not session.begin(warm_up=warms_up),
                            warms_up=warms_up,
                        )
                        with self._held(session, turn):
                            record.admitted(f"{self._random.getrandbits(128):032x}")
                            yield turn
            except TimeoutError as exc:
                if not scope.expired():
                    raise
                if turn is None:
                    raise TurnError(Reason.OVERLOADED, f"no place became free within {limit:g} s") from exc
                raise turn.out_of_time(limit) from exc

    async def _session(self, caller: Caller, session_id: str, endpoint: Endpoint) -> Session:
        """Return the session, after a running warm-up of it: what that opens is for this turn.

        An idle session of another upstream or key loses its connection and its history: they share nothing.
        """
        endpoint.upstream.check_key(caller.key)
        while True:
            session, evicted = self._registry.open(
                caller.tenant, session_id, self._clock(), self._wall(), caller.max_sessions
            )
            if evicted is not None:
                self._forget(evicted)
            if session.state is not SessionState.WARMING:
                break
            await session.warmed()
            self._check_serving()  # The drain may have started meanwhile.
        if session.state is SessionState.FREE:
            session.move(endpoint, caller.key)
        return session

    @contextmanager
    def _held(self, session: Session, turn: Turn) -> Iterator[None]:
        """Let the turn run in its session, or as a fork of it, for as long as the block lasts."""
        try:
            with self._running.turn(turn):
                yield
        finally:
            if not turn.fork:
                session.finish()
            if turn.completed:
                session.count(turn.report())
            turn.endpoint.left(turn.model)
            self._registry.touch(session, self._clock(), self._wall())
            self._heap.used(turn.size)

    def _forget(self, session: Session) -> None:
        self._registry.remove(session)
        _close(session)

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(REAPER_PERIOD_S)
            for session in self._registry.expire(self._clock()):
                _close(session)
            self._heap.tidy()
            await self._upstreams.tidy(self._running)


_UNREAD = CompletionRequest("", "", ())


def _close(session: Session) -> None:
    """Close the connection of a session that was removed; one that carries a turn is closed after it."""
    if session.endpoint is not None:
        session.endpoint.pool.release(session)


def _shutting_down() -> TurnError:
    return TurnError(Reason.SHUTTING_DOWN, "the service is shutting down; nothing was sent")
