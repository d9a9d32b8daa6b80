"""The one error type: what went wrong, whose fault it is, and what may be done about it.

Owns the taxonomy (`Reason`, `RULES`). Must never know gRPC, HTTP or WebSocket: the edges translate.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Fault(Enum):
    CALLER = "caller"
    UPSTREAM = "upstream"
    SERVICE = "service"


class Reason(Enum):
    """Why a call failed. Expected ones are news for the caller; only INTERNAL is a bug of ours."""

    INVALID_REQUEST = "INVALID_REQUEST"
    CONTEXT_LENGTH_EXCEEDED = "CONTEXT_LENGTH_EXCEEDED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    SESSION_NOT_FOUND = "SESSION_NOT_FOUND"
    UPSTREAM_AUTH = "UPSTREAM_AUTH"
    RATE_LIMITED = "RATE_LIMITED"
    QUOTA_EXHAUSTED = "QUOTA_EXHAUSTED"
    OVERLOADED = "OVERLOADED"
    CONNECT_FAILED = "CONNECT_FAILED"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    CHAIN_LOST = "CHAIN_LOST"
    CONNECTION_EXPIRED = "CONNECTION_EXPIRED"
    ENCRYPTED_CONTENT_REFUSED = "ENCRYPTED_CONTENT_REFUSED"
    MESSAGE_TOO_BIG = "MESSAGE_TOO_BIG"
    FRAME_REFUSED = "FRAME_REFUSED"
    CONNECTION_LOST = "CONNECTION_LOST"
    INTERRUPTED = "INTERRUPTED"
    UPSTREAM_ERROR = "UPSTREAM_ERROR"
    PROTOCOL_ERROR = "PROTOCOL_ERROR"
    TIMEOUT = "TIMEOUT"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Rule:
    """`told_as` replaces a reason that only concerns us and the upstream when nothing is left to try."""

    fault: Fault
    retryable: bool
    told_as: Reason | None = None


RULES: dict[Reason, Rule] = {
    Reason.INVALID_REQUEST: Rule(Fault.CALLER, retryable=False),
    Reason.CONTEXT_LENGTH_EXCEEDED: Rule(Fault.CALLER, retryable=False),
    Reason.UNAUTHENTICATED: Rule(Fault.CALLER, retryable=False),
    Reason.PERMISSION_DENIED: Rule(Fault.CALLER, retryable=False),
    Reason.SESSION_NOT_FOUND: Rule(Fault.CALLER, retryable=False),
    Reason.UPSTREAM_AUTH: Rule(Fault.SERVICE, retryable=False),
    Reason.RATE_LIMITED: Rule(Fault.UPSTREAM, retryable=True),
    Reason.QUOTA_EXHAUSTED: Rule(Fault.SERVICE, retryable=False),
    Reason.OVERLOADED: Rule(Fault.SERVICE, retryable=True),
    Reason.CONNECT_FAILED: Rule(Fault.UPSTREAM, retryable=True),
    Reason.SHUTTING_DOWN: Rule(Fault.SERVICE, retryable=True),
    Reason.CHAIN_LOST: Rule(Fault.UPSTREAM, retryable=False, told_as=Reason.PROTOCOL_ERROR),
    Reason.CONNECTION_EXPIRED: Rule(Fault.UPSTREAM, retryable=True, told_as=Reason.UPSTREAM_ERROR),
    Reason.ENCRYPTED_CONTENT_REFUSED: Rule(Fault.CALLER, retryable=False, told_as=Reason.INVALID_REQUEST),
    Reason.MESSAGE_TOO_BIG: Rule(Fault.CALLER, retryable=False),
    Reason.FRAME_REFUSED: Rule(Fault.UPSTREAM, retryable=False, told_as=Reason.PROTOCOL_ERROR),
    Reason.CONNECTION_LOST: Rule(Fault.UPSTREAM, retryable=True),
    Reason.INTERRUPTED: Rule(Fault.SERVICE, retryable=True),
    Reason.UPSTREAM_ERROR: Rule(Fault.UPSTREAM, retryable=True),
    Reason.PROTOCOL_ERROR: Rule(Fault.UPSTREAM, retryable=False),
    Reason.TIMEOUT: Rule(Fault.UPSTREAM, retryable=True),
    Reason.INTERNAL: Rule(Fault.SERVICE, retryable=False),
}


@dataclass(frozen=True, slots=True)
class UpstreamDetail:
    """What the upstream said. `status` is the HTTP status or the close code; 0: none."""

    code: str = ""
    type: str = ""
    status: int = 0
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with a request: the path of the field, and what to do."""

    field: str
    description: str


class TurnError(Exception):
    """A call failed.

    `retryable` overrides the rule where the upstream's own code says more; `retry_after` is in seconds.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        retryable: bool | None = None,
        retry_after: float | None = None,
        upstream: UpstreamDetail | None = None,
        violations: tuple[Violation, ...] = (),
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retryable = RULES[reason].retryable if retryable is None else retryable
        self.retry_after = retry_after
        self.upstream = upstream
        self.violations = violations

    def __repr__(self) -> str:
        return f"TurnError({self.reason.value}, {self.message!r})"

    def told(self) -> TurnError:
        """As the caller hears it: a reason that is only between us and the upstream goes by its public
        name.
        """
        public = RULES[self.reason].told_as
        if public is None:
            return self
        return TurnError(
            public,
            self.message,
            retryable=self.retryable,
            retry_after=self.retry_after,
            upstream=self.upstream,
            violations=self.violations,
        )


def forget_frames(error: BaseException | None) -> None:
    """Drops the tracebacks of the error and of those behind it. Their frames hold all that the call held and,
    as a rule, the error itself: so all of it would wait for the collector.
    """
    found, chain = set[int](), [error]
    while chain:
        error = chain.pop()
        if error is not None and id(error) not in found:
            found.add(id(error))
            error.__traceback__ = None
            chain += error.__cause__, error.__context__
