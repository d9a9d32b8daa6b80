"""Run one turn, from the caller's request to its end: `Turn`.

However the turn ends, its lease ends with it, and a connection in the middle of an answer is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from service.domain.errors import Reason, TurnError, forget_frames
from service.domain.events import Completed, Event, Usage
from service.domain.failure_policy import Route
from service.domain.history import Chain, full_plan, without_reasoning
from service.domain.messages import CompletionRequest, Message, Transport, items_of
from service.domain.plan import ContextReason, Plan
from service.domain.replay import Signal
from service.domain.report import TransportReason, TurnReport
from service.domain.tenant import Caller
from service.sessions.chaining import Chaining
from service.sessions.lease import Lease, NoConnectionError
from service.sessions.pool import Pool
from service.sessions.registry import Session
from service.sessions.turn_record import TurnRecord
from service.sessions.warmup import warm_up
from service.telemetry.turns import TurnPublisher
from service.transport.exchange import Exchange
from service.transport.upstream import PreparedRequest, Upstream
from service.workers import maybe_aside


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Hold what every turn needs. `clock` is monotonic, in seconds."""

    upstream: Upstream
    pool: Pool
    chaining: Chaining
    clock: Callable[[], float]
    safe_only: bool


class Turn:
    """Run a turn in its session, or beside it: a `fork`, if the session already has a holder."""

    def __init__(
        self,
        deps: Dependencies,
        session: Session,
        request: CompletionRequest,
        prepared: PreparedRequest,
        *,
        turn_id: str,
        scope: asyncio.Timeout,
        started_at: float,
        watch: TurnPublisher,
        caller: Caller,
    ) -> None:
        self.id = turn_id
        self.request = request
        self.fork = session.holder is not None
        self.usage: Usage | None = None
        self._deps = deps
        self._scope = scope
        self._interrupted = False
        self._session = session
        self._prepared = prepared
        self._caller = caller
        self._exchange: Exchange | None = None
        self._drop_reasoning = self._primed = self._missed = False
        self._lost: tuple[TurnError, TurnReport] | None = None
        wanted = request.options.transport
        self._forced = wanted is Transport.WEBSOCKET
        self._record = TurnRecord(turn_id, wanted, watch, clock=deps.clock, started_at=started_at)
        self._watch = watch

    def __repr__(self) -> str:
        return f"Turn({self.id}, {self._record!r})"

    @property
    def dispatched(self) -> bool:
        """Whether something may have reached the upstream."""
        return self._record.dispatched

    @property
    def completed(self) -> bool:
        return self._record.completed

    @property
    def size(self) -> int:
        return self._exchange.size if self._exchange is not None else 0

    def report(self) -> TurnReport:
        return self._record.report()

    def partial(self) -> Message | None:
        """Return what has been received of the answer, or None when there was no exchange."""
        return self._exchange.partial() if self._exchange is not None else None

    def interrupt(self) -> None:
        """End the turn now: its consumer gets INTERRUPTED, or SHUTTING_DOWN if nothing was sent."""
        self._interrupted = True
        self._scope.reschedule(asyncio.get_running_loop().time())

    def out_of_time(self, limit_s: float) -> TurnError:
        """Return the error for a turn whose time ran out, or was cut short by the drain."""
        if not self._interrupted:
            return TurnError(
                Reason.TIMEOUT, f"the turn took longer than {limit_s:g} s (TRUNKLINE_TURN_TIMEOUT_S)"
            )
        if not self.dispatched:
            return TurnError(Reason.SHUTTING_DOWN, "the service is shutting down; nothing was sent")
        return TurnError(
            Reason.INTERRUPTED, "the service is shutting down, and the grace for running turns is over"
        )

    async def batches(self) -> AsyncGenerator[list[Event], None]:
        """Yield the events of the turn: first one `Started`, last `Completed`.

        Raises TurnError. Cancellation, or closing early: the upstream's answer is cut off at once.
        """
        record = self._record
        route = Route.SSE if record.transport is Transport.SSE else Route.SAME_CONNECTION
        while True:
            dispatches = record.progress.dispatches
            try:
                way = self._over_http() if route is Route.SSE else self._over_line()
                async with aclosing(way) as batches:
                    async for batch in batches:
                        yield batch
                return
            except TurnError as error:
                route = self._next_route(error, dispatched=record.progress.dispatches > dispatches)
                forget_frames(error)  # the error is kept, and its frames would keep the turn in memory

    def _next_route(self, error: TurnError, *, dispatched: bool) -> Route:
        self._watch.failed(error)
        record = self._record
        route = record.progress.reroute(
            error,
            dispatched=dispatched,
            transport=record.transport,
            forced=self._forced,
            safe_only=self._deps.safe_only,
        )
        if route is None:
            if isinstance(error, NoConnectionError):
                record.without_connection(error.why)
            record.progress.advance(Signal.FAIL)
            raise self._final(error, dispatched=dispatched)
        if dispatched:
            self._watch.replayed(error)
            self._lost = error, record.report()
        if error.reason is Reason.ENCRYPTED_CONTENT_REFUSED:
            self._drop_reasoning = True
        if route is Route.NEW_CONNECTION and self._exchange is not None and not self.fork:
            self._session.history.moved(self._exchange.plan)
        if route is Route.SSE and record.transport is not Transport.SSE:
            why = error.why if isinstance(error, NoConnectionError) else error.policy.sse_reason
            record.fell_back(why or TransportReason.CONNECT_FAILED)
        return route

    def _final(self, error: TurnError, *, dispatched: bool) -> TurnError:
        """Return the error for the caller: never "nothing was sent" for a turn that was sent."""
        if not dispatched and self._lost is not None and error.policy.implies_nothing_sent:
            error, report = self._lost
            self._record.revert_to(report)
        if not self.dispatched and error.reason is Reason.CONNECTION_LOST:
            # The connection was lost before anything was written: none was available.
            error = TurnError(Reason.CONNECT_FAILED, error.message)
        return error.public()

    async def _over_http(self) -> AsyncGenerator[list[Event], None]:
        plan = full_plan(self._prepared.items, ContextReason.SSE)
        async with (
            self._deps.upstream.over_http(self._prepared, self._to_send(plan), self._caller.key) as exchange,
            aclosing(self._relay(exchange)) as batches,
        ):
            async for batch in batches:
                yield batch

    async def _over_line(self) -> AsyncGenerator[list[Event], None]:
        self._watch.checkout()
        session = None if self.fork else self._session
        lease = await self._deps.pool.lease(session, self._caller, wait=self._forced)
        self._record.leased(lease)
        clean = True
        try:
            await self._prime(lease)
            plan = await maybe_aside(self._prepared.large, partial(self._plan, lease))
            exchange = await self._deps.upstream.over_line(
                lease.line, self._prepared, self._to_send(plan), refused=self._session.refused_bytes
            )
            chain = self._consume(plan)
            clean = False
            async with aclosing(self._relay(exchange)) as batches:
                async for batch in batches:
                    if isinstance(batch[-1], Completed):
                        commit = partial(self._commit, batch[-1], plan, chain, lease)
                        await maybe_aside(self._prepared.large, commit)
                        clean = True
                    yield batch
        except TurnError as error:
            if not clean:
                lease.failed(error, self._session)
                clean = self._survived(error)
            raise
        finally:
            lease.end(clean=clean)

    def _survived(self, error: TurnError) -> bool:
        """Return whether the connection is reusable after the failure; record what it says of the session."""
        exchange = self._exchange
        if error.reason is Reason.MESSAGE_TOO_BIG and exchange is not None:
            self._session.refused_bytes = exchange.bytes_sent
        if error.reason is Reason.CHAIN_LOST:
            self._missed = True
            if not self.fork:
                self._session.history.forget(ContextReason.CHAIN_LOST)
        return exchange is not None and exchange.orderly and error.policy.connection_reusable

    async def _prime(self, lease: Lease) -> None:
        """Warm up a new connection before its first turn, if the caller wants it.

        Raises TurnError CONNECTION_LOST when the warm-up ends the connection: the turn then takes a new one.
        """
        if self.request.options.warm_up and not (lease.reused or self.fork or self._primed):
            self._primed = True
            await warm_up(self._deps.upstream, lease.line, self._session, self._prepared)
            if not lease.line.open:  # lost in the warm-up: the turn itself has sent nothing
                raise TurnError(Reason.CONNECTION_LOST, "the line closed while it was warmed up")

    def _plan(self, lease: Lease) -> Plan:
        items, history = self._prepared.items, self._session.history
        if self.fork:
            return full_plan(items, ContextReason.FORK)
        if not self._deps.chaining.supported(self._session.tenant):
            return full_plan(items, ContextReason.CHAINING_UNSUPPORTED)
        return history.plan(items, self._prepared.fingerprint, lease.line.id)

    def _consume(self, plan: Plan) -> Chain | None:
        chain = None if self.fork else self._session.history.consume()
        if plan.incremental and chain is None:  # forgotten with its connection while the request was written
            raise TurnError(Reason.CONNECTION_LOST, "the line closed before the request was written")
        return chain

    def _to_send(self, plan: Plan) -> Plan:
        return without_reasoning(plan) if self._drop_reasoning else plan

    async def _relay(self, exchange: Exchange) -> AsyncGenerator[list[Event], None]:
        """Yield the exchange as the caller may see it: one start, then content, then the end."""
        self._exchange = exchange
        self._record.planned(exchange)
        progress = self._record.progress
        counted = False
        try:
            async with aclosing(exchange.batches()) as batches:
                async for batch in batches:
                    if not counted:
                        counted = True
                        progress.advance(Signal.DISPATCH)
                    seen = [event for event in batch if self._record.admit(event)]
                    if seen:
                        yield seen
        finally:
            # After a failure or a cancellation, too: what was written counts.
            if exchange.dispatched and not counted:
                progress.advance(Signal.DISPATCH)
            self.usage = exchange.usage
            if self._record.completed:
                self._count_chain(exchange.plan)

    def _count_chain(self, plan: Plan) -> None:
        """Count a lost chain only if the same turn then succeeded without it."""
        if plan.incremental:
            self._deps.chaining.held(self._session.tenant)
        elif self._missed:
            self._deps.chaining.missed(self._session.tenant)

    def _commit(self, completed: Completed, plan: Plan, chain: Chain | None, lease: Lease) -> None:
        """Add the answer to the history before the caller gets it: the caller may leave as soon as it has."""
        if self.fork or not completed.continuable:
            return
        added = (*plan.items, *items_of((completed.message,)))
        self._session.history.commit(
            chain if plan.incremental else None,
            added,
            self._deps.upstream.sizes(self._prepared, added),
            fingerprint=self._prepared.fingerprint,
            response_id=completed.response_id,
            line_id=lease.line.id,
        )
