"""Run compactions, each in the place of a turn: `Compactions`.

It needs no session: its answer is for the caller, who sends it as the next turn's messages. What the session
remembers stays as it is, and no longer fits, so that turn is sent in full.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from service.domain.compaction import Compacted
from service.domain.errors import Reason, TurnError
from service.domain.messages import CompletionRequest
from service.domain.tenant import Caller
from service.sessions.admission import Admission, TenantLimits
from service.sessions.endpoint import Endpoint
from service.sessions.registry import Registry
from service.sessions.running import Running
from service.sessions.upstreams import Choice, Upstreams
from service.telemetry.calls import Call
from service.telemetry.compaction_trace import CompactionTrace
from service.telemetry.telemetry import OFF, Telemetry
from service.transport.compaction import CompactionExchange


class Compaction:
    """One compaction, and how far it is.

    `request` is a turn's, with these options only: `store`, `prompt_cache_key`, `service_tier`.
    """

    warms_up = False
    """The drain lets it finish within its grace, as a turn."""

    def __init__(self, caller: Caller, request: CompletionRequest) -> None:
        self.caller = caller
        self.request = request
        self.tokens = 0
        """What the upstream has reported for it."""
        self.endpoint: Endpoint | None = None
        self._exchange: CompactionExchange | None = None
        self._interrupted = False
        self._scope: asyncio.Timeout | None = None

    def __repr__(self) -> str:
        return f"Compaction({self.request.session_id}, {self._exchange!r})"

    @property
    def dispatched(self) -> bool:
        """Whether something may have reached the upstream."""
        return self._exchange is not None and self._exchange.dispatched

    def limited(self, limit_s: float) -> asyncio.Timeout:
        """Return the time limit of the whole compaction, as a context manager."""
        self._scope = asyncio.timeout(limit_s)
        return self._scope

    @property
    def expired(self) -> bool:
        """Whether its time ran out, or the drain ended it."""
        return self._scope is not None and self._scope.expired()

    def interrupt(self) -> None:
        """End it now, with INTERRUPTED, or SHUTTING_DOWN if nothing was sent."""
        if self._scope is not None and not self._scope.expired():
            self._interrupted = True
            self._scope.reschedule(asyncio.get_running_loop().time())

    def out_of_time(self, limit_s: float) -> TurnError:
        """Return the error for one whose time ran out, or was cut short by the drain."""
        if self._interrupted and self.dispatched:
            message = "the service is shutting down, and the grace for running turns is over"
            return TurnError(Reason.INTERRUPTED, message)
        if self._interrupted:
            return TurnError(Reason.SHUTTING_DOWN, "the service is shutting down; nothing was sent")
        if self._exchange is None:
            return TurnError(Reason.OVERLOADED, f"no place became free within {limit_s:g} s")
        message = f"the compaction took longer than {limit_s:g} s (TRUNKLINE_TURN_TIMEOUT_S)"
        return TurnError(Reason.TIMEOUT, message)

    async def run(self, choice: Choice, trace: CompactionTrace) -> Compacted:
        """Have the upstream compact the conversation. Raises TurnError.

        Cancellation: the upstream's answer is cut off before it is raised.
        """
        self.endpoint = choice.endpoint
        upstream, request = choice.endpoint.upstream, choice.asked(self.request)
        upstream.check_key(self.caller.key)
        self._exchange = await upstream.compaction(request, self.caller, trace.headers())
        trace.begun(choice.endpoint.peer, self._exchange.bytes_sent)
        try:
            compacted = await self._exchange.answer()
        except TurnError as error:
            raise error.public() from error
        self.tokens = compacted.usage.total_tokens if compacted.usage is not None else 0
        trace.answered(compacted)
        return replace(compacted, upstream=choice.endpoint.peer.name)


class Compactions:
    """Run compactions within the limits of turns. `check_serving` raises when none may begin any more."""

    def __init__(
        self,
        upstreams: Upstreams,
        registry: Registry,
        *,
        tenant_limits: TenantLimits,
        admission: Admission,
        running: Running,
        check_serving: Callable[[], None],
        limit_s: float,
        telemetry: Telemetry = OFF,
    ) -> None:
        self._upstreams = upstreams
        self._registry = registry
        self._tenant_limits = tenant_limits
        self._admission = admission
        self._running = running
        self._check_serving = check_serving
        self._limit_s = limit_s
        self._telemetry = telemetry

    async def run(self, compaction: Compaction, call: Call | None = None) -> Compacted:
        """Run it, in the place of a turn. Raises TurnError, for the same causes as a turn does.

        Cancellation: the upstream's answer is cut off before it is raised.
        """
        caller = compaction.caller
        with CompactionTrace(self._telemetry, call, caller.tenant, compaction.request) as trace:
            try:
                async with compaction.limited(self._limit_s):
                    self._check_serving()
                    with self._tenant_limits.take(caller, compaction), await self._admission.enter():
                        self._check_serving()
                        with self._running.turn(compaction):
                            return await self._run(compaction, trace)
            except TimeoutError as exc:
                if not compaction.expired:
                    raise
                raise compaction.out_of_time(self._limit_s) from exc

    async def _run(self, compaction: Compaction, trace: CompactionTrace) -> Compacted:
        """Run it at the upstream that has the conversation, or at the next one that can.

        What stands for the conversation afterwards is sealed by the upstream that made it.
        """
        request, tenant = compaction.request, compaction.caller.tenant
        session = self._registry.find(tenant, request.session_id)
        choices = self._upstreams.choices(compaction.caller, request.model, session)
        for choice in choices[:-1]:
            try:
                return await compaction.run(choice, trace)
            except TurnError as error:
                if compaction.dispatched and error.policy.replay is not None:
                    raise  # it may have run
                if error.policy.elsewhere not in choice.endpoint.settings.failover:
                    raise
        return await compaction.run(choices[-1], trace)
