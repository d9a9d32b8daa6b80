"""Decide when a call is retried, and when it must end.

A retry may cost money twice, so only an UNAVAILABLE that carries the service's own ErrorInfo ("nothing was
sent upstream") is retried, and, where a turn key lets the same turn go on, a call whose connection broke.
This module returns how long to wait; its caller waits.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from trunkline.errors import TrunklineError

RESUMES = 8
"""How often in a row a call whose connection broke is made again before the next event comes.

With the default pauses that is 8 to 16 s: a proxy or a network that is gone for 5 s costs no answer.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and how patiently a call of which nothing was sent is tried. `Retry(attempts=1)`: once."""

    attempts: int = 4
    base_s: float = 0.1
    cap_s: float = 5.0
    patience_s: float = 30.0
    """A service that says "later than this" (RetryInfo) is raised, not waited for."""
    jitter: Callable[[], float] = random.random


class Attempts:
    """The tries of one call: counts them and keeps its deadline, which spans them all.

    With `resumes`, a call whose connection broke is made again.
    """

    def __init__(
        self,
        policy: Retry,
        timeout: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        resumes: bool = False,
    ) -> None:
        self._policy = policy
        self._timeout = timeout
        self._clock = clock
        self._resumes = resumes
        self._deadline: float | None = None
        self._made = 0
        self._unknown = False

    def begin(self) -> float | None:
        """One more try. Returns what is left of the deadline, which is that try's own timeout."""
        self._made += 1
        if self._timeout is None:
            return None
        if self._deadline is None:
            self._deadline = self._clock() + self._timeout
        return max(0.0, self._deadline - self._clock())

    def progressed(self) -> None:
        """A new event came: the tries after it are counted from 1 again."""
        self._made = min(self._made, 1)

    def delay(self, error: TrunklineError) -> float | None:
        """How long to wait before the next try; None: there is none, raise the `verdict`."""
        policy = self._policy
        self._unknown |= error.lost
        if self._made >= self._most(error) or (error.retry_after or 0) > policy.patience_s:
            return None
        # Never earlier than RetryInfo, and spread after it: all callers got the same one.
        spread = min(policy.cap_s, policy.base_s * 2 ** (self._made - 1)) * (0.5 + policy.jitter() / 2)
        delay: float = (error.retry_after or 0) + spread
        if self._deadline is not None and self._clock() + delay >= self._deadline:
            return None
        return delay

    def verdict(self, error: TrunklineError) -> TrunklineError:
        """The error that ends the call. It may be of a try that sent nothing, after one that was lost."""
        if self._unknown and error.sent is False:
            error.sent = None
        return error

    def _most(self, error: TrunklineError) -> int:
        """How many tries in a row may end so."""
        if error.unsent:
            return self._policy.attempts
        return 1 + RESUMES if self._resumes and error.lost else 0
