"""Carry a failure from where it happened to the caller: `TurnError`, with its `Reason`.

gRPC, HTTP and WebSocket errors are translated at the edges; in between there is only this one type.
`SettingsError` carries a failure to the operator instead: the service does not start.
"""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.failure_policy import POLICIES
from service.domain.policy import Policy
from service.domain.reasons import Fault, Reason

__all__ = ["Fault", "Reason", "SettingsError", "TurnError", "UpstreamDetail", "Violation", "forget_frames"]


@dataclass(frozen=True, slots=True)
class UpstreamDetail:
    """What the upstream reported. `status` is the HTTP status or the close code; 0: none."""

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
    """Report that a call failed.

    `retryable` overrides the policy where the upstream's own code is more exact; `retry_after` is in seconds.
    `limit` names the tenant's own limit for which it is RATE_LIMITED.
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
        limit: str = "",
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retryable = self.policy.retryable if retryable is None else retryable
        self.retry_after = retry_after
        self.upstream = upstream
        self.violations = violations
        self.limit = limit

    def __repr__(self) -> str:
        return f"TurnError({self.reason.value}, {self.message!r})"

    @property
    def policy(self) -> Policy:
        """What follows from the reason."""
        return POLICIES[self.reason]

    def public(self) -> TurnError:
        """Return the error as the caller gets it: a reason that concerns only the service and the upstream is
        replaced by its public one.
        """
        public = self.policy.public
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


class SettingsError(ValueError):
    """Report invalid settings. `problems` holds one line for each thing to change."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def forget_frames(error: BaseException | None) -> None:
    """Drop the tracebacks of the error and of its causes and contexts.

    Their frames refer to everything that the call used and, as a rule, to the error itself. Such a reference
    cycle keeps all of it in memory until the garbage collector runs.
    """
    found, chain = set[int](), [error]
    while chain:
        error = chain.pop()
        if error is not None and id(error) not in found:
            found.add(id(error))
            error.__traceback__ = None
            chain += error.__cause__, error.__context__
