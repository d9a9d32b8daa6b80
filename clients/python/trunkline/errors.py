"""The errors that a call raises: `TrunklineError`, and a class for each kind of failure.

Reasons are an open set: a failure with one that is not in the tables below is a `TrunklineError` itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import grpc

from trunkline.events import Done
from trunkline.gen.trunkline.v1.message_pb2 import Message
from trunkline.reports import Report, Usage

BROKEN = (
    grpc.StatusCode.OK,  # a stream that just ends
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
)
"""How a connection that breaks ends a call, depending on what breaks it."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """What the upstream said. `status` is of HTTP, or the close code of the WebSocket; 0: none."""

    code: str = ""
    type: str = ""
    status: int = 0
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that is wrong with the request: the path of the field, and what to do."""

    field: str
    description: str


class TrunklineError(Exception):
    """A call failed. Raised once, with everything that is known.

    `reason` is one of docs/protocol.md, or, where the failure is not the service's own, the name of the gRPC
    status ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"). `sent` says whether the request reached the
    upstream, so whether trying again may cost money twice: True, False, or None where nobody knows.
    `retryable` says whether the same request may succeed later, `retry_after` (seconds) when. `partial` is
    the answer as far as it came. `reported` says whether the service itself reported the failure; if it did
    not, the connection broke, a proxy answered, or the time was up.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        status: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        retryable: bool = False,
        retry_after: float | None = None,
        sent: bool | None = None,
        partial: Message | None = None,
        upstream: Upstream | None = None,
        usage: Usage | None = None,
        report: Report | None = None,
        violations: tuple[Violation, ...] = (),
        metadata: dict[str, str] | None = None,
        reported: bool = False,
    ) -> None:
        super().__init__(reason, message)
        self.reason = reason
        self.message = message
        self.status = status
        self.retryable = retryable
        self.retry_after = retry_after
        self.sent = sent
        self.partial = partial
        self.upstream = upstream
        self.usage = usage
        self.report = report
        self.violations = violations
        self.metadata = metadata or {}
        """ErrorInfo's own, for what has no name here."""
        self.reported = reported

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}" if self.message else self.reason

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.reason}, {self.message!r},"
            f" retryable={self.retryable}, sent={self.sent})"
        )

    @property
    def unsent(self) -> bool:
        """The service says that nothing was sent upstream and another try may succeed."""
        return self.status is grpc.StatusCode.UNAVAILABLE and self.sent is False

    @property
    def lost(self) -> bool:
        """The connection broke before the service said how the call ended."""
        return not self.reported and self.status in BROKEN


class InvalidRequestError(TrunklineError):
    """The service or the upstream refuses the request. `violations` names the fields: correct them."""


class ContextLengthError(InvalidRequestError):
    """The conversation does not fit the model. Shorten it: `conversation.compact` does."""


class AuthenticationError(TrunklineError):
    """The service does not know the caller. Correct the token or the key."""


class PermissionDeniedError(TrunklineError):
    """The caller may not do this: use this model, or bring a key."""


class NotFoundError(TrunklineError):
    """The replica has no such session or turn."""


class RateLimitError(TrunklineError):
    """A rate limit of the upstream. Try again after `retry_after`."""


class QuotaError(TrunklineError):
    """The upstream's quota is used up, or its bill is not paid. Do not try again."""


class OverloadedError(TrunklineError):
    """A limit of the service. Try again after `retry_after`."""


class ConnectionFailedError(TrunklineError):
    """The service or its upstream was not reached, or was lost. `sent` says whether a try may cost twice."""


class TimedOutError(TrunklineError):
    """The time was up: the caller's own, or one of the service's waits, which the message names."""


class UpstreamError(TrunklineError):
    """The upstream failed, refuses the service's key, or gave an invalid answer. `upstream` has its words."""


class InternalError(TrunklineError):
    """A bug of the service. Its log has the details."""


class TurnCancelledError(TrunklineError):
    """The turn was stopped: by `cancel()`, by `cancel_turn`, or since nobody read it."""


class AnswerError(TrunklineError):
    """The turn ended well, but its answer is not what was asked for. `done` is that answer."""

    def __init__(self, reason: str, message: str, done: Done) -> None:
        super().__init__(
            reason,
            message,
            status=grpc.StatusCode.OK,
            sent=True,
            partial=done.message,
            usage=done.usage,
            report=done.report,
            reported=True,
        )
        self.done = done


class RefusalError(AnswerError):
    """The model refuses to answer. Its words are the message."""

    def __init__(self, done: Done) -> None:
        super().__init__("REFUSAL", done.refusal, done)


class OutputError(AnswerError):
    """The answer does not fit the type that was asked for."""

    def __init__(self, done: Done, message: str) -> None:
        super().__init__("INVALID_OUTPUT", message, done)


class TakenOverError(TrunklineError):
    """A newer call with the same turn key reads the turn now."""


CLASSES: Mapping[str, type[TrunklineError]] = {
    "INVALID_REQUEST": InvalidRequestError,
    "MESSAGE_TOO_BIG": InvalidRequestError,
    "CONTEXT_LENGTH_EXCEEDED": ContextLengthError,
    "UNAUTHENTICATED": AuthenticationError,
    "PERMISSION_DENIED": PermissionDeniedError,
    "SESSION_NOT_FOUND": NotFoundError,
    "TURN_NOT_FOUND": NotFoundError,
    "RATE_LIMITED": RateLimitError,
    "QUOTA_EXHAUSTED": QuotaError,
    "OVERLOADED": OverloadedError,
    "CONNECT_FAILED": ConnectionFailedError,
    "CONNECTION_LOST": ConnectionFailedError,
    "INTERRUPTED": ConnectionFailedError,
    "SHUTTING_DOWN": ConnectionFailedError,
    "TIMEOUT": TimedOutError,
    "UPSTREAM_AUTH": UpstreamError,
    "UPSTREAM_ERROR": UpstreamError,
    "PROTOCOL_ERROR": UpstreamError,
    "INTERNAL": InternalError,
    "CANCELLED": TurnCancelledError,
    "TAKEN_OVER": TakenOverError,
}
"""The class of each reason that the service reports."""

BARE: Mapping[grpc.StatusCode, type[TrunklineError]] = {
    grpc.StatusCode.OK: ConnectionFailedError,
    grpc.StatusCode.UNKNOWN: ConnectionFailedError,
    grpc.StatusCode.INTERNAL: ConnectionFailedError,
    grpc.StatusCode.UNAVAILABLE: ConnectionFailedError,
    grpc.StatusCode.DEADLINE_EXCEEDED: TimedOutError,
    grpc.StatusCode.CANCELLED: TurnCancelledError,
    grpc.StatusCode.UNAUTHENTICATED: AuthenticationError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
}
"""The class of a status that comes alone: from gRPC itself, or from a proxy."""


def class_of(reason: str, status: grpc.StatusCode, *, reported: bool) -> type[TrunklineError]:
    """Return the class of a failure. `reported` as in `TrunklineError`."""
    return (CLASSES.get(reason) if reported else BARE.get(status)) or TrunklineError
