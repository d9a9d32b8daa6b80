"""Run one turn, from the caller's request to its end: `Turn`.

An attempt leases a connection (not over SSE), plans what to send over it, and receives the answer. When it
fails, `Progress` decides whether there is another, and over what. However an attempt ends, the lease and the
exchange end with it, and a connection in the middle of an answer is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

from service.domain.errors import Reason, TurnError, forget_frames
from service.domain.events import Completed, Event
from service.domain.messages import Transport
from service.domain.plan import Plan
from service.domain.policy import Route
from service.domain.replay import Signal
from service.domain.report import TransportReason, TurnReport
from service.domain.tenant import Caller
from service.domain.turn_record import TurnRecord
from service.sessions.early_end import early_end
from service.sessions.lease import Lease, NoConnectionError
from service.sessions.planner import Planner
from service.sessions.session import Session
from service.sessions.turn_facts import TurnFacts
from service.sessions.upstreams import Choice
from service.sessions.warmup import warm_up
from service.telemetry.turn_publisher import TurnTrace
from service.transport.exchange import Exchange
from service.transport.upstream import PreparedRequest
from service.workers import maybe_aside


class Turn(TurnFacts):
    """Run a turn in its session, or beside it: a `fork`, if something else runs in the session.

    A warm-up is a turn without an answer, by `warm_up` in place of `batches`; `prepared` may be None. It is
    for the first of the `choices`; the others are for a turn that this one cannot serve.
    """

    def __init__(
        self,
        choices: tuple[Choice, ...],
        session: Session,
        prepared: PreparedRequest | None,
        *,
        caller: Caller,
        record: TurnRecord,
        scope: asyncio.Timeout,
        trace: TurnTrace | None,
        fork: bool,
        warms_up: bool = False,
    ) -> None:
        super().__init__(record, choices[0].endpoint)
        self.fork = fork
        self.warms_up = warms_up
        self.session = session
        self._next, self._others = choices[0], choices[1:]
        self._may_leave = bool(self._others)
        self._caller = caller
        self._scope = scope
        self._trace = trace
        self._primed = False
        self._cut_short: Reason | None = None
        self._sent_and_lost: tuple[TurnError, TurnReport] | None = None
        self._prepared, self._planner = prepared, self._planned(prepared)
        self.endpoint.begin()

    def _planned(self, prepared: PreparedRequest | None) -> Planner | None:
        if prepared is None:
            return None
        token, key = self._record.request.continuation, self._caller.key
        return Planner(self.session, prepared, self.endpoint, token=token, key=key, fork=self.fork)

    def interrupt(self, reason: Reason = Reason.INTERRUPTED) -> None:
        """End the turn now, for this reason, where it is: its consumer gets the error by `out_of_time`."""
        if not self._scope.expired():
            self._cut_short = reason
            self._scope.reschedule(asyncio.get_running_loop().time())

    def out_of_time(self, limit_s: float) -> TurnError:
        """Return the error for a turn whose time ran out, or was cut short."""
        return early_end(self._cut_short, limit_s, warms_up=self.warms_up, dispatched=self.dispatched)

    async def warm_up(self) -> None:
        """Open the session's connection and, with a request, send ahead what the next turn will need.

        Where only SSE is allowed there is nothing to open. Raises TurnError when no connection can be opened.
        Cancellation: a connection in the middle of an exchange is closed.
        """
        while self.endpoint.peer.transport is not Transport.SSE:
            try:
                with await self._lease(wait=True) as lease:
                    if self._prepared is not None:
                        await self._warm_up(lease, self._prepared)
                break
            except TurnError as error:
                if not self._leaves(error):
                    raise
            await self._arrive()
        if self.session.line is None and self.endpoint.peer.transport is not Transport.SSE:  # it was ended
            with await self._lease(wait=True):
                pass

    async def batches(self) -> AsyncGenerator[list[Event], None]:
        """Yield the events of the turn, those of one read together: first one `Started`, last `Completed`.

        Raises TurnError. Cancellation, or closing early: the upstream's answer is cut off at once.
        """
        record = self._record
        route = record.first_route
        while True:
            dispatches = record.progress.dispatches
            try:
                with nullcontext() if route is Route.SSE else await self._lease(wait=record.forced) as lease:
                    async with await self._open(lease) as exchange:
                        while not exchange.finished:
                            batch = [event for event in await self._receive(exchange) if record.admit(event)]
                            if batch:
                                if isinstance(batch[-1], Completed):
                                    batch[-1] = await self._complete(batch[-1], exchange.plan, lease)
                                self._events += len(batch)
                                yield batch
                self.endpoint.answered()
                return
            except TurnError as error:
                route = self._next_route(error, dispatched=record.progress.dispatches > dispatches)
                forget_frames(error)  # the error is kept, and its frames would keep the turn in memory
            if route is Route.NEXT_UPSTREAM:
                await self._arrive()
                route = record.first_route

    # One attempt

    @property
    def _request(self) -> PreparedRequest:
        assert self._prepared is not None, "only a warm-up has none"
        return self._prepared

    @property
    def _plans(self) -> Planner:
        assert self._planner is not None, "only a warm-up has none"
        return self._planner

    async def _lease(self, *, wait: bool) -> Lease:
        self._record.asked()
        self.endpoint.models.check(self.model)
        session = None if self.fork else self.session
        lease = await self.endpoint.pool.lease(session, self._caller, wait=wait, trace=self._trace)
        self._record.leased(reused=lease.reused, connect_s=lease.connect_s, dial=lease.line.dialed)
        return lease

    async def _open(self, lease: Lease | None) -> Exchange:
        """Plan the request and return its exchange, over the leased connection or over HTTP."""
        upstream, prepared, planner = self.endpoint.upstream, self._request, self._plans
        if lease is not None:
            await self._prime(lease)
        line_id = lease.line.id if lease is not None else None
        plan = await maybe_aside(prepared.large, partial(planner.plan, line_id))
        if lease is None:
            exchange = await upstream.over_http(prepared, plan, self._caller.key, self._trace)
            planner.consume(plan, None)
        else:
            exchange = await upstream.over_connection(
                lease.line, prepared, plan, refused=self.session.refused_bytes
            )
            planner.consume(plan, line_id)
            lease.carries(exchange, self.session, self.model)
        self._exchange = exchange
        self._record.planned(exchange)
        return exchange

    async def _receive(self, exchange: Exchange) -> list[Event]:
        """Return the next events. What was written counts, also after a failure or a cancellation."""
        try:
            return await exchange.receive()
        finally:
            self._record.dispatch(exchange)

    async def _prime(self, lease: Lease) -> None:
        """Warm up a new connection before its first turn, if the caller wants it.

        Raises TurnError CONNECTION_LOST when the warm-up ends the connection: the turn then takes a new one.
        """
        if self._record.request.options.warm_up and not (lease.reused or self.fork or self._primed):
            self._primed = True
            await self._warm_up(lease, self._request)
            if not lease.line.open:  # lost in the warm-up: the turn itself has sent nothing
                raise TurnError(Reason.CONNECTION_LOST, "the line closed while it was warmed up")

    async def _warm_up(self, lease: Lease, prepared: PreparedRequest) -> None:
        self._record.warmed_up(await warm_up(self.endpoint.upstream, lease.line, self.session, prepared))

    async def _complete(self, completed: Completed, plan: Plan, lease: Lease | None) -> Completed:
        """Keep the answer before the caller gets it: the caller may leave as soon as it has.

        Returns the event for the caller: with the token, if the response is stored.
        """
        planner, line_id = self._plans, lease.line.id if lease is not None else None
        planner.completed(plan)
        self.endpoint.models.answered(self._record)
        if completed.continuable and planner.keeps(line_id):
            commit = partial(planner.commit, completed, plan, line_id)
            token = await maybe_aside(self._request.large, commit)
            return replace(completed, continuation=token) if token else completed
        return completed

    def _next_route(self, error: TurnError, *, dispatched: bool) -> Route:
        """Return where the turn goes after a failure. Raises the error for the caller if it ends."""
        record = self._record
        record.failed(error)
        if dispatched:
            self._learn(error)
        route = record.progress.reroute(
            error,
            dispatched=dispatched,
            transport=record.transport,
            silent=self._exchange is not None and self._exchange.silent,
            forced=record.forced,
            safe_only=self.endpoint.safe_only,
            elsewhere=self._has_other(error),
        )
        if route is None:
            self._note(error)
            if isinstance(error, NoConnectionError):
                record.without_connection(error.why)
            record.progress.advance(Signal.FAIL)
            raise self._final(error, dispatched=dispatched)
        if dispatched:
            self._sent_and_lost = error, record.report()
            record.replayed(error)
        match route:
            case Route.NEXT_UPSTREAM:
                self._leaves(error)
            case Route.NEW_CONNECTION if self._exchange is not None:
                self._plans.moved(self._exchange.plan)
            case Route.SSE if record.transport is not Transport.SSE:
                why = error.why if isinstance(error, NoConnectionError) else error.policy.sse_reason
                record.fell_back(why or TransportReason.CONNECT_FAILED)
        return route

    # Where several upstreams may serve it

    def _has_other(self, error: TurnError) -> bool:
        """Return whether there is another upstream, and such a failure leads to it."""
        why = error.policy.elsewhere
        return bool(self._others) and why is not None and why in self.endpoint.settings.failover

    def _note(self, error: TurnError) -> None:
        """Say what the failure that ends the turn at this upstream means for other turns."""
        if error.policy.elsewhere is None:
            if error.policy.connection_reusable:
                self.endpoint.answered()
        elif self._may_leave and self._caller.key is None:  # it may be the key's fault
            self.endpoint.failed(error, self.session.id)

    def _leaves(self, error: TurnError) -> bool:
        """Choose the next upstream after this failure. Return False when there is none."""
        if not self._has_other(error):
            return False
        assert error.policy.elsewhere is not None, "it leads to another"
        self._note(error)
        self._next, self._others = self._others[0], self._others[1:]
        self._record.moved(self._next.endpoint.peer, error.policy.elsewhere)
        return True

    async def _arrive(self) -> None:
        """Prepare the turn for the upstream that was chosen, and move the session there."""
        choice, caller = self._next, self._caller
        if self._prepared is not None:
            self._prepared = await choice.prepare(self._record.request, caller.tenant)
        self.endpoint.left(self.model)
        self.endpoint = choice.endpoint
        if not self.fork:
            self.session.move(choice.endpoint, caller.key)
        self._planner = self._planned(self._prepared)
        self.endpoint.begin()

    def _learn(self, error: TurnError) -> None:
        """Remember what a refusal says of the session, or of the next request."""
        assert self._exchange is not None, "something was sent"
        if self._caller.key is None:  # it may be the key's fault
            self.endpoint.models.failed(self._record, error, self.session.id)
        if error.reason is Reason.MESSAGE_TOO_BIG:
            self.session.refuse(self._exchange.bytes_sent)
        self._plans.refused(error, self._exchange.plan)

    def _final(self, error: TurnError, *, dispatched: bool) -> TurnError:
        """Return the error for the caller: never "nothing was sent" for a turn that was sent."""
        if not dispatched and self._sent_and_lost is not None and error.policy.implies_nothing_sent:
            error, report = self._sent_and_lost
            self._record.revert_to(report)
        if not self.dispatched and error.reason is Reason.CONNECTION_LOST:
            # The connection was lost before anything was written: none was available.
            error = TurnError(Reason.CONNECT_FAILED, error.message)
        return error.public()
