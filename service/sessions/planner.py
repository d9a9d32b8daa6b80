"""Plan the requests of one turn, and keep what the upstream knows once it has answered: `Planner`.

It is asked once an attempt: `plan`, then `consume` when the request is made, then `completed` and `commit`,
or `refused` and `moved`. A fork has a history of its own, so that it leaves the session's as it is.
"""

from __future__ import annotations

from collections.abc import Set
from functools import partial

from service.domain.continuation import Claims
from service.domain.effort import carried, efforts_after
from service.domain.errors import Reason, TurnError
from service.domain.events import Completed
from service.domain.history import Chain, History, from_elsewhere, full_plan, without_reasoning
from service.domain.messages import Item, Role, items_of
from service.domain.plan import ContextReason, Plan
from service.domain.tenant import Credential
from service.sessions.endpoint import Endpoint
from service.sessions.session import Session
from service.transport.upstream import PreparedRequest


class Planner:
    """Plan for one turn of the session at an upstream. `plan` and `commit` may run in a thread.

    `token`: the caller's, unverified; empty: none. `key`: the caller's own; None: the service's.
    """

    __slots__ = (
        "_base",
        "_chaining",
        "_continued",
        "_drop_reasoning",
        "_foreign",
        "_history",
        "_key",
        "_lost",
        "_refused",
        "_request",
        "_session",
        "_token",
        "_tokens",
        "_update_refused",
        "_upstream",
        "fork",
    )

    def __init__(
        self,
        session: Session,
        request: PreparedRequest,
        endpoint: Endpoint,
        *,
        token: str,
        key: Credential | None,
        fork: bool,
    ) -> None:
        self.fork = fork
        self._session = session
        self._request = request
        self._chaining = endpoint.chaining
        self._history = History() if fork else session.history
        self._upstream = endpoint.upstream
        self._tokens = endpoint.tokens
        self._foreign = session.foreign_to(endpoint)
        self._token = token
        self._key = key
        self._base: Chain | None = None
        self._continued: Chain | None = None  # the chain of the token, while the plan builds on it
        self._lost = self._drop_reasoning = self._update_refused = False
        self._refused: tuple[ContextReason, ...] = ()

    def __repr__(self) -> str:
        return f"Planner({self._history!r})"

    def plan(self, line_id: int | None) -> Plan:
        """Plan what to send over the connection; None: by SSE."""
        plan = self._plan(line_id)
        if plan.incremental:
            plan = self._with_effort(plan)
        elif self._foreign:
            plan = from_elsewhere(plan)
        return without_reasoning(plan) if self._drop_reasoning else plan

    def _plan(self, line_id: int | None) -> Plan:
        self._continued = None
        request, full = self._request, self._full_reason()
        if full is not None and line_id is None and not self._lost:
            full = ContextReason.SSE
        if full is not None:
            return full_plan(request.items, full)
        basis = self._chaining.basis(self._session.tenant)
        plan = self._history.plan(request.items, request.fingerprint, line_id, basis)
        if not self._token or (plan.incremental and not any(map(_is_answer, plan.items))):
            return plan
        by_token, continued = self._by_token(basis)
        if plan.incremental and (continued is None or len(by_token.items) >= len(plan.items)):
            return plan
        self._continued = continued
        return by_token

    def _by_token(self, basis: Set[ContextReason]) -> tuple[Plan, Chain | None]:
        """Plan with what the caller's token says. Returns the chain of an incremental plan, too.

        It is asked when the session knows nothing that fits, or has missed answers of other replicas.
        """
        request = self._request
        claims = self._tokens.open(self._token, self._session.tenant, self._key)
        if claims is None:
            return full_plan(request.items, ContextReason.TOKEN_REFUSED), None
        return claims.plan(request.items, request.fingerprint, basis, partial(self._upstream.sizes, request))

    def _with_effort(self, plan: Plan) -> Plan:
        """Return the plan with what it takes to have the caller's effort, or a full one."""
        chain, request = self._continued or self._history.chain, self._request
        if chain is None:  # its line has closed meanwhile: `consume` finds out
            return plan
        takes_updates = self._chaining.takes_updates(self._session.tenant, request.model)
        carries = carried(plan, chain.efforts, request.effort, takes_updates=takes_updates)
        return carries or full_plan(request.items, ContextReason.REASONING_CHANGED)

    def _full_reason(self) -> ContextReason | None:
        """Return why this turn continues nothing, whatever the history holds."""
        if self.fork:
            return ContextReason.FORK
        if self._lost:
            return ContextReason.CHAIN_LOST
        if self._drop_reasoning:  # the refused reasoning may stand in what the upstream stores
            return ContextReason.TURN_NOT_COMPLETED
        if not self._chaining.supported(self._session.tenant):
            return ContextReason.CHAINING_UNSUPPORTED
        if self._foreign and self._history.chain is None:
            return ContextReason.UPSTREAM_CHANGED
        return None

    def consume(self, plan: Plan, line_id: int | None) -> None:
        """Take the chain of the request that is about to be sent.

        Raises TurnError CONNECTION_LOST when it is gone: it is forgotten with its connection, also while the
        request is written.
        """
        own = self._history.consume(line_id)
        self._base = self._continued or own
        if plan.incremental and self._base is None:
            raise TurnError(Reason.CONNECTION_LOST, "the line closed before the request was written")

    def refused(self, error: TurnError, plan: Plan) -> None:
        """Remember what the failure of a sent request says of the next one of this turn."""
        match error.reason:
            case Reason.CHAIN_LOST | Reason.CONTINUATION_REFUSED:
                self._lost = True
                if error.reason is Reason.CONTINUATION_REFUSED:  # else the upstream has named the cause
                    self._refused, self._update_refused = plan.changed, bool(plan.update)
                self._history.forget(ContextReason.CHAIN_LOST)
            case Reason.ENCRYPTED_CONTENT_REFUSED:
                self._drop_reasoning = True

    def moved(self, plan: Plan) -> None:
        """The turn is repeated on another connection."""
        self._history.moved(plan)

    def completed(self, plan: Plan) -> None:
        """Record what the answer says of chains."""
        if plan.incremental:
            self._chaining.held(self._session.tenant)
        elif self._update_refused:
            self._chaining.refuse_updates(self._session.tenant)
        elif self._refused:  # only now: a request that fails both ways says nothing of chains
            self._chaining.learn(self._session.tenant, self._refused)
        elif self._lost:
            self._chaining.missed(self._session.tenant)

    def keeps(self, line_id: int | None) -> bool:
        """Whether anything can continue from the answer: it is stored, or known on the session's line."""
        return self._request.store or not (self.fork or line_id is None)

    def commit(self, completed: Completed, plan: Plan, line_id: int | None) -> str:
        """Keep what the upstream knows now. Return the token for a stored response; empty: there is none."""
        request = self._request
        # Refused reasoning is known, too: that the caller sends it again is no edit.
        added = (*(plan if plan.incremental else request).items, *items_of((completed.message,)))
        chain = self._history.commit(
            self._base if plan.incremental else None,
            added,
            self._upstream.sizes(request, added),
            fingerprint=request.fingerprint,
            response_id=completed.response_id,
            line_id=None if request.store else line_id,
            efforts=efforts_after(plan, request.effort),
        )
        if chain is None or not request.store:
            return ""
        return self._tokens.seal(Claims.of(chain), self._session.tenant, self._key)


def _is_answer(item: Item) -> bool:
    return item.role is Role.ASSISTANT
