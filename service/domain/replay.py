"""How far a turn has come as its caller sees it, and when it may be sent again: `Progress`.

Owns the turn's state machine and the replay rules. Must never know sockets, time or protobuf. The rule that
would be broken first: after content reached the caller nothing is replayed.

A turn is dispatched from the instant before its request is written. What went wrong before that is always
worth another route; after it, only a proof that nothing ran, or one loss of any kind, is.
"""

from __future__ import annotations

from enum import Enum

from service.domain.errors import Reason, TurnError
from service.domain.messages import Transport

MAX_DISPATCHES = 3
MAX_STALE_LINES = 3
"""How many lines in a row may turn out dead at the very moment of use."""


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
"""The turn, as the caller sees it. What is not here cannot happen: no dispatch behind content, nothing
behind an end.
"""


class Route(Enum):
    """Where a turn goes next."""

    SAME_LINE = "same_line"
    NEW_LINE = "new_line"
    SSE = "sse"


class Cause(Enum):
    """Why a turn is sent again. Each counts once a turn."""

    CHAIN_LOST = "chain_lost"
    CONNECTION_EXPIRED = "connection_expired"
    TOO_BIG = "too_big"
    ENCRYPTED_CONTENT = "encrypted_content"
    LOSS = "loss"


CAUSES: dict[Reason, Cause] = {
    Reason.CHAIN_LOST: Cause.CHAIN_LOST,
    Reason.CONNECTION_EXPIRED: Cause.CONNECTION_EXPIRED,
    Reason.MESSAGE_TOO_BIG: Cause.TOO_BIG,
    Reason.ENCRYPTED_CONTENT_REFUSED: Cause.ENCRYPTED_CONTENT,
    Reason.CONNECTION_LOST: Cause.LOSS,
    Reason.UPSTREAM_ERROR: Cause.LOSS,
    Reason.PROTOCOL_ERROR: Cause.LOSS,
    Reason.FRAME_REFUSED: Cause.LOSS,
    Reason.TIMEOUT: Cause.LOSS,
}
"""What may be sent again behind a dispatch. All but LOSS prove that nothing ran."""

WEBSOCKET_ROUTES: dict[Reason, Route] = {
    Reason.CHAIN_LOST: Route.SAME_LINE,
    Reason.ENCRYPTED_CONTENT_REFUSED: Route.SAME_LINE,
    Reason.CONNECTION_EXPIRED: Route.NEW_LINE,
    Reason.CONNECTION_LOST: Route.NEW_LINE,
    Reason.UPSTREAM_ERROR: Route.NEW_LINE,
    Reason.TIMEOUT: Route.SSE,
    Reason.PROTOCOL_ERROR: Route.SSE,
    Reason.FRAME_REFUSED: Route.SSE,
    Reason.MESSAGE_TOO_BIG: Route.SSE,
    Reason.CONNECT_FAILED: Route.SSE,
}
"""Where a turn goes that failed over a WebSocket. Silence and nonsense are taken for faults of the
WebSocket as such.
"""

NO_WEBSOCKET = frozenset({Reason.MESSAGE_TOO_BIG, Reason.FRAME_REFUSED})
"""What no other line would take either."""

NONSENSE = frozenset({Reason.PROTOCOL_ERROR, Reason.FRAME_REFUSED})
"""Not worth a caller's trying again, but one try of ours by another way."""

NO_LINE = frozenset(
    {Reason.CONNECT_FAILED, Reason.CONNECTION_LOST, Reason.MESSAGE_TOO_BIG, Reason.OVERLOADED}
)
"""What lets nothing be written to a line. By SSE it may be."""


class Progress:
    """The state of one turn, and which causes have been used up."""

    __slots__ = ("_stale_lines", "_used", "dispatches", "state")

    def __init__(self) -> None:
        self.state = State.NEW
        self.dispatches = 0
        self._used: set[Cause] = set()
        self._stale_lines = 0

    def __repr__(self) -> str:
        return f"Progress({self.state.value}, {self.dispatches} dispatched)"

    def advance(self, signal: Signal) -> bool:
        """Moves on; True if the state changed. A signal that the table does not have is a bug: KeyError."""
        before, self.state = self.state, TRANSITIONS[self.state, signal]
        if signal is Signal.DISPATCH:
            self.dispatches += 1
        return self.state is not before

    def reroute(
        self, error: TurnError, *, dispatched: bool, transport: Transport, forced: bool, safe_only: bool
    ) -> Route | None:
        """Where the turn goes after this failure; None: nowhere, the caller is told.

        `dispatched`: the failed attempt may have reached the upstream. `transport`: what the attempt ran
        over. `forced`: the caller allows no other. `safe_only`: replay only what is proven not to have run.
        """
        if self.state in (State.STREAMING, State.DONE, State.FAILED):
            return None
        if not dispatched:
            return self._before_dispatch(error, transport, forced)
        cause = CAUSES.get(error.reason)
        if cause is None or cause in self._used or self.dispatches >= MAX_DISPATCHES:
            return None
        if cause is Cause.LOSS and (safe_only or not _worth_another_try(error)):
            return None
        route = _route(error.reason, transport, forced)
        if route is not None:
            self._used.add(cause)
        return route

    def _before_dispatch(self, error: TurnError, transport: Transport, forced: bool) -> Route | None:
        """Nothing was sent: a line that died in our hands is replaced, one that cannot be had leads to
        SSE.
        """
        if transport is Transport.SSE:
            return None
        if error.reason is Reason.CONNECTION_LOST and self._stale_lines < MAX_STALE_LINES:
            self._stale_lines += 1
            return Route.NEW_LINE
        return Route.SSE if error.reason in NO_LINE and not forced else None


def _worth_another_try(error: TurnError) -> bool:
    """The upstream may say that it is not, or not so soon: then the caller hears it."""
    return (error.retryable or error.reason in NONSENSE) and not error.retry_after


def _route(reason: Reason, transport: Transport, forced: bool) -> Route | None:
    if transport is Transport.SSE:
        # A body that HTTP refuses, too, is refused; there are no lines to expire.
        return None if reason in (Reason.MESSAGE_TOO_BIG, Reason.CONNECTION_EXPIRED) else Route.SSE
    route = WEBSOCKET_ROUTES[reason]
    if route is Route.SSE and forced:
        return None if reason in NO_WEBSOCKET else Route.NEW_LINE
    return route
