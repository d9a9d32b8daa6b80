"""The one error that a call raises. Reasons are an open set, so none is listed here."""

from dataclasses import dataclass

import grpc

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
            f"TrunklineError({self.reason}, {self.message!r}, retryable={self.retryable}, sent={self.sent})"
        )

    @property
    def unsent(self) -> bool:
        """The service says that nothing was sent upstream and another try may succeed."""
        return self.status is grpc.StatusCode.UNAVAILABLE and self.sent is False

    @property
    def lost(self) -> bool:
        """The connection broke before the service said how the call ended."""
        return not self.reported and self.status in BROKEN
