"""Bound how many bytes of large requests are in flight at once: `Budget`.

A request takes up to six times its size at its worst moment (as received, parsed, as text, as JSON, and while
it is written), and about twice its size while it runs; a text with one emoji takes four times as a string.
Measured, with 96 MiB of them: 8 of 31.9 MiB at once peak at 675 MiB, 16 of 10 MiB at 518, 40 of 3 MiB at
353, the worst (8 images of 31.9 MiB) at 753: a replica of 1 GiB survives. With 128 MiB, texts with an emoji
took 1,032. Small requests are not counted: `TRUNKLINE_MAX_TURNS` of them are 32 MiB at most.

Where there are several tenants, one may have half of the budget; a single request of the allowed size always
fits into that half.
"""

from __future__ import annotations

from collections import Counter
from types import TracebackType

from service.domain.errors import Reason, TurnError
from service.domain.limits import LARGE_BYTES
from service.domain.messages import CompletionRequest
from service.domain.tenant import Caller
from service.sessions.admission import RETRY_AFTER_S
from service.telemetry.telemetry import OFF, Limit, Telemetry
from service.workers import PINNED

PART_BYTES = 256
"""Memory of a part besides its content, in bytes: the object, its item, their slots in tuples."""


class Budget:
    """Share `most` bytes among all requests; `largest` is the size of the largest request."""

    def __init__(self, most: int, largest: int, telemetry: Telemetry = OFF) -> None:
        self._telemetry = telemetry
        self._most = most
        self._share = max(most // 2, min(largest, most))
        self._taken: Counter[str] = Counter()
        self.bytes = 0

    def __repr__(self) -> str:
        return f"Budget({self.bytes}/{self._most} bytes of {len(self._taken)} tenants)"

    def hold(self, caller: Caller, size: int) -> Hold:
        """Return a context manager that holds the bytes of a request. Raises TurnError OVERLOADED."""
        hold = Hold(self, caller.tenant)
        if size > LARGE_BYTES:
            hold.grow(size)
        return hold

    def take(self, tenant: str, size: int) -> None:
        """Take bytes for the tenant. Raises TurnError OVERLOADED when there are not enough."""
        name = "TRUNKLINE_MAX_REQUEST_BYTES_IN_FLIGHT"
        message = ""
        if self.bytes + size > self._most:
            message = f"requests in flight would have more than {self._most} bytes ({name})"
        elif tenant and self._taken[tenant] + size > self._share:
            share = f"{self._share} bytes, its share of {name}"
            message = f"requests in flight of tenant {tenant!r} would have more than {share}"
        if message:
            self._telemetry.refused(Limit.BYTES)
            raise TurnError(Reason.OVERLOADED, message, retry_after=RETRY_AFTER_S)
        self.bytes += size
        self._taken[tenant] += size

    def release(self, tenant: str, size: int) -> None:
        self.bytes -= size
        self._taken[tenant] -= size
        if not self._taken[tenant]:
            del self._taken[tenant]


class Hold:
    """Hold what one call has taken of the budget until it has ended and no thread works for it."""

    __slots__ = ("_budget", "_over", "_pins", "_size", "_tenant")

    def __init__(self, budget: Budget, tenant: str) -> None:
        self._budget = budget
        self._tenant = tenant
        self._size = 0
        self._pins = 0
        self._over = False

    def __enter__(self) -> Hold:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._over = True
        self._settle()

    def grow(self, size: int) -> None:
        """Raise what is held to `size` bytes; small sizes are not counted. Raises TurnError OVERLOADED."""
        if size > max(self._size, LARGE_BYTES):
            self._budget.take(self._tenant, size - self._size)
            self._size = size
            PINNED.set(self)

    def weigh(self, request: CompletionRequest) -> None:
        """Raise what is held to the memory of the request: its bytes, and an overhead for each part.

        Raises TurnError OVERLOADED.
        """
        self.grow(request.size + PART_BYTES * sum(len(message.parts) for message in request.messages))

    def pin(self) -> None:
        self._pins += 1

    def unpin(self) -> None:
        self._pins -= 1
        self._settle()

    def _settle(self) -> None:
        if self._over and not self._pins and self._size:
            self._budget.release(self._tenant, self._size)
            self._size = 0
