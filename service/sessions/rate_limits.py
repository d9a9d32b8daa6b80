"""Limit how many requests and tokens each tenant may use: `RateLimits`.

A token bucket for each limit of a tenant. It holds the whole limit, and fills evenly: 600 tokens a minute are
a bucket of 600 that gets 10 a second. So a tenant that paused may use the whole limit at once, and in any
period twice the limit, besides what its buckets come to owe.

A request is taken at its beginning. What a turn takes in tokens the upstream reports at its end, so a turn
may begin while one token is left, and the bucket may owe: with 600 a minute, a turn of 1,800 tokens in a full
bucket leaves -1,200, and the next turn may begin after 120.1 s. Where the upstream reports nothing, as of an
answer that was cut off, nothing is taken.

A bucket stores what was used, not what is left. A limit that the operator changes meanwhile thus leaves what
was used as it is: of 1,000 with 800 used, 200 are left; raised to 2,000, 1,200 are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from service.domain.errors import Reason, TurnError
from service.domain.tenant import Caller, Rates
from service.telemetry.telemetry import OFF, Limit, Telemetry

MINUTE_S = 60.0
DAY_S = 86_400.0
PERIODS_S = {
    Limit.REQUESTS_PER_MINUTE: MINUTE_S,
    Limit.TOKENS_PER_MINUTE: MINUTE_S,
    Limit.TOKENS_PER_DAY: DAY_S,
}
"""The value of each limit is its field in `Rates`."""

MAX_TENANTS = 10_000
"""With the buckets of so many the tenant that called longest ago is forgotten: its buckets are full again.
They take less than 1 KiB each.
"""

MAX_WAIT_S = DAY_S
"""The longest that a bucket may owe: an upstream that reports absurd numbers must not shut a tenant out."""


class Used(Protocol):
    """What takes the place of a turn. `tokens`: how many the upstream has reported for it so far."""

    @property
    def tokens(self) -> int: ...


class _Bucket:
    """One limit of one tenant."""

    __slots__ = ("_at", "_period_s", "_used", "most")

    def __init__(self, most: int, period_s: float, now: float) -> None:
        self.most = most
        self._period_s = period_s
        self._used = 0.0
        self._at = now

    @property
    def _per_second(self) -> float:
        return self.most / self._period_s

    def left(self, now: float) -> float:
        return self.most - max(0.0, self._used - (now - self._at) * self._per_second)

    def wait_s(self, now: float) -> float:
        """Return the seconds until one is left, to the millisecond."""
        return max(0.0, round((1 - self.left(now)) / self._per_second, 3))

    def use(self, number: int, now: float) -> None:
        """Take so many; a negative number returns them."""
        self._used = self.most - self.left(now) + number
        self._at = now
        self._bound()

    def resize(self, most: int, now: float) -> None:
        """Change the limit. What was used until now stays used."""
        self.use(0, now)
        self.most = most
        self._bound()

    def _bound(self) -> None:
        """Let nobody wait for longer than `MAX_WAIT_S`, also where a lower limit makes what was used more."""
        self._used = min(max(0.0, self._used), self.most + MAX_WAIT_S * self._per_second)


class RateLimits:
    """Keep the buckets of all tenants that have limits. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float], telemetry: Telemetry = OFF) -> None:
        self._clock = clock
        self._telemetry = telemetry
        self._tenants: dict[str, dict[Limit, _Bucket]] = {}

    def __repr__(self) -> str:
        return f"RateLimits({len(self._tenants)} tenants)"

    def check(self, caller: Caller) -> None:
        """Raise TurnError RATE_LIMITED, with the time to wait, when a limit of the caller is used up."""
        if caller.rates is None:
            return
        now = self._clock()
        buckets = self._buckets(caller, now)
        waits = {limit: buckets[limit].wait_s(now) for limit, _ in _limits(caller.rates)}
        if not any(waits.values()):
            return
        limit = max(waits, key=waits.__getitem__)
        self._telemetry.refused(limit)
        what = f"{buckets[limit].most} {limit.value.replace('_per_', ' a ')} ({limit.value})"
        raise TurnError(
            Reason.RATE_LIMITED,
            f"tenant {caller.tenant!r} has used its {what}",
            retry_after=waits[limit],
            limit=limit.value,
        )

    def take(self, caller: Caller) -> None:
        """Count a request. Raises TurnError RATE_LIMITED as `check` does; then it does not count."""
        self.check(caller)
        self._use(caller, 1, Limit.REQUESTS_PER_MINUTE)

    def put_back(self, caller: Caller) -> None:
        """The request that was counted last sent nothing upstream: it does not count."""
        self._use(caller, -1, Limit.REQUESTS_PER_MINUTE)

    def spend(self, caller: Caller, used: Used) -> None:
        """Count the tokens of a request that is over, also those that a limit did not allow any more."""
        if self._counts(caller):
            self._use(caller, used.tokens, Limit.TOKENS_PER_MINUTE, Limit.TOKENS_PER_DAY)

    def left(self) -> dict[tuple[str, str], float]:
        """Return what is left to each tenant that may be a label, by tenant and limit; less than 0: owed."""
        now, label = self._clock(), self._telemetry.tenant
        return {
            (tenant, limit.value): bucket.left(now)
            for tenant, buckets in self._tenants.items()
            if label(tenant) == tenant
            for limit, bucket in buckets.items()
        }

    def _counts(self, caller: Caller) -> bool:
        """Return whether what the caller uses counts: another caller of its tenant may be the limited one."""
        return caller.rates is not None or caller.tenant in self._tenants

    def _use(self, caller: Caller, number: int, *limits: Limit) -> None:
        if number and self._counts(caller):
            now = self._clock()
            buckets = self._buckets(caller, now)
            for limit in buckets.keys() & set(limits):
                buckets[limit].use(number, now)

    def _buckets(self, caller: Caller, now: float) -> dict[Limit, _Bucket]:
        """Return the buckets of the tenant, those of the caller's limits in their present size."""
        buckets = self._tenants.pop(caller.tenant, {})
        for limit, most in _limits(caller.rates):
            bucket = buckets.get(limit)
            if bucket is None:
                buckets[limit] = _Bucket(most, PERIODS_S[limit], now)
            elif bucket.most != most:
                bucket.resize(most, now)
        self._tenants[caller.tenant] = buckets  # last: the tenant that called longest ago stands first
        if len(self._tenants) > MAX_TENANTS:
            del self._tenants[next(iter(self._tenants))]
        self._telemetry.tenant.admit(caller.tenant)
        return buckets


def _limits(rates: Rates | None) -> Iterator[tuple[Limit, int]]:
    for limit in PERIODS_S:
        most: int | None = getattr(rates, limit.value, None)
        if most is not None:
            yield limit, most
