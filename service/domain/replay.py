"""Track how far a turn has come as its caller sees it, and decide where it goes after a failure: `Progress`.

A turn is a small state machine, `TRANSITIONS` (docs/architecture.md has its picture):

    NEW --dispatch--> SENT --start--> STARTED --content--> STREAMING --complete--> DONE

It may fail in each of these states but DONE, and may be dispatched again in SENT and STARTED. A replay after
the start emits no second start. In STREAMING the table has no dispatch: once the caller has seen content, a
second answer would contradict the first, so nothing is replayed.

A turn counts as dispatched from the instant before its request is written. A failure before that is always
worth another route. After it, the turn is sent again if the reason proves that the upstream ran nothing, or
once after a loss of any kind, which proves nothing. Example: the upstream does not know the previous response
(CHAIN_LOST: the request is sent again in full over the same connection), then that connection breaks
(CONNECTION_LOST: sent once more, over a new one). Both causes are used up and `MAX_DISPATCHES` is reached, so
the next failure goes to the caller.

Where another upstream serves the model, one that refuses a turn as a whole (a rate limit), answers that it
failed, or is silent is left for the next, which takes the place of the one repetition.

A connection that breaks before it ever received anything leads to SSE instead: a gateway that accepts a
WebSocket and cannot serve it would do the same to the next one.
"""

from __future__ import annotations

from enum import Enum

from service.domain.errors import Reason, TurnError
from service.domain.failure_policy import POLICIES
from service.domain.messages import Transport
from service.domain.policy import Cause, Route

MAX_DISPATCHES = 3
MAX_STALE_CONNECTIONS = 3
"""How many connections in a row may turn out dead at the very moment of use."""


class State(Enum):
    NEW = "new"
    SENT = "sent"
    STARTED = "started"
    STREAMING = "streaming"
    DONE = "done"
    FAILED = "failed"


class Signal(Enum):
    DISPATCH = "dispatch"
    START = "start"
    CONTENT = "content"
    COMPLETE = "complete"
    FAIL = "fail"


TRANSITIONS: dict[tuple[State, Signal], State] = {
    (State.NEW, Signal.DISPATCH): State.SENT,
    (State.NEW, Signal.FAIL): State.FAILED,
    (State.SENT, Signal.DISPATCH): State.SENT,
    (State.SENT, Signal.START): State.STARTED,
    (State.SENT, Signal.FAIL): State.FAILED,
    (State.STARTED, Signal.DISPATCH): State.STARTED,
    (State.STARTED, Signal.START): State.STARTED,
    (State.STARTED, Signal.CONTENT): State.STREAMING,
    (State.STARTED, Signal.COMPLETE): State.DONE,
    (State.STARTED, Signal.FAIL): State.FAILED,
    (State.STREAMING, Signal.CONTENT): State.STREAMING,
    (State.STREAMING, Signal.COMPLETE): State.DONE,
    (State.STREAMING, Signal.FAIL): State.FAILED,
}
"""The turn, as the caller sees it. What is not here cannot happen: no dispatch after content, nothing after
an end.
"""


class Progress:
    """Hold the state of one turn, and which causes of a replay it has used up."""

    __slots__ = ("_stale_connections", "_used", "dispatches", "state")

    def __init__(self) -> None:
        self.state = State.NEW
        self.dispatches = 0
        self._used = set[Cause]()
        self._stale_connections = 0

    def __repr__(self) -> str:
        return f"Progress({self.state.value}, {self.dispatches} dispatched)"

    @property
    def streaming(self) -> bool:
        """Whether content has reached the caller."""
        return self.state is State.STREAMING

    def advance(self, signal: Signal) -> bool:
        """Move on; return whether the state changed.

        Raises KeyError for a signal that the table does not have in this state: a bug.
        """
        before, self.state = self.state, TRANSITIONS[self.state, signal]
        if signal is Signal.DISPATCH:
            self.dispatches += 1
        return self.state is not before

    def reroute(
        self,
        error: TurnError,
        *,
        dispatched: bool,
        transport: Transport,
        silent: bool,
        forced: bool,
        safe_only: bool,
        elsewhere: bool = False,
    ) -> Route | None:
        """Return where the turn goes after this failure, or None when the error goes to the caller.

        `dispatched`: the failed attempt may have reached the upstream. `transport`: what the attempt ran
        over. `silent`: its connection never received anything. `forced`: the caller allows no other.
        `safe_only`: replay only what is proven not to have run. `elsewhere`: another upstream may serve the
        turn after such a failure.
        """
        if self.state in (State.STREAMING, State.DONE, State.FAILED):
            return None
        if not dispatched:
            here = self._before_dispatch(error, transport, forced)
            return Route.NEXT_UPSTREAM if here is None and elsewhere else here
        if self.dispatches >= MAX_DISPATCHES:
            return None
        cause = error.policy.replay
        if cause is None:
            return Route.NEXT_UPSTREAM if elsewhere else None
        if cause in self._used:
            return None
        if not cause.proves_nothing_ran and (safe_only or not _worth_another_try(error, elsewhere)):
            return None
        route = Route.NEXT_UPSTREAM if elsewhere else _route(error.reason, transport, silent, forced)
        if route is not None:
            self._used.add(cause)
        return route

    def _before_dispatch(self, error: TurnError, transport: Transport, forced: bool) -> Route | None:
        """Return the route when nothing was sent: a connection that was found dead is replaced, and one that
        is unavailable leads to SSE.
        """
        if transport is Transport.SSE:
            return None
        if error.reason is Reason.CONNECTION_LOST and self._stale_connections < MAX_STALE_CONNECTIONS:
            self._stale_connections += 1
            return Route.NEW_CONNECTION
        return Route.SSE if error.policy.sse_if_unsent and not forced else None


def _worth_another_try(error: TurnError, elsewhere: bool) -> bool:
    """Return False where the upstream says that trying again is useless, or too soon: the caller decides.

    What is too soon here is not too soon `elsewhere`.
    """
    return (error.retryable or error.policy.repeat_once) and (elsewhere or not error.retry_after)


def _route(reason: Reason, transport: Transport, silent: bool, forced: bool) -> Route | None:
    if transport is Transport.SSE:
        # A body that HTTP refuses, too, is refused for good; over HTTP no connection expires.
        return None if reason in (Reason.MESSAGE_TOO_BIG, Reason.CONNECTION_EXPIRED) else Route.SSE
    policy = POLICIES[reason]
    route = policy.route_if_silent if silent and policy.route_if_silent is not None else policy.route
    if route is Route.SSE and forced:
        return None if policy.every_connection_refuses else Route.NEW_CONNECTION
    return route
