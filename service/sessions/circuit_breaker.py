"""Decide whether dialling the upstream's WebSocket is worth trying: `Breaker`.

The breaker opens after a failed dial, and after connections that were opened and never received anything. So
a dead endpoint costs one wait, not one for each turn, and one that recovers is met by a single probe, not by
every waiting turn at once.

    CLOSED --failure--> OPEN --pause over, next dial--> PROBING --success--> CLOSED
                        OPEN <--------failure---------- PROBING

A dial that had begun before the failure may still succeed, which closes an open breaker.

Each failure doubles the pause. Example, with a first pause of 60 s: an endpoint that stays dead is dialled
after 60, 120, 240, 480 and then every 600 s, each pause shortened at random by up to a fifth.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from enum import Enum

from service.domain.errors import TurnError

logger = logging.getLogger("service.line")

CAP_FACTOR = 10
"""No pause is longer than this times the first one, whatever a `Retry-After` asks for: that may be one wrong
answer of a proxy.
"""

REFUSED_UPGRADES = frozenset({404, 405, 426, 501})
"""Statuses by which an endpoint refuses the upgrade as such: it does not support WebSocket."""

SILENT_CONNECTIONS = 2
"""So many silent connections in a row, of different sources, count as a failed dial: an endpoint that accepts
handshakes and sends nothing is no WebSocket. One may be chance, and several of one source may come from its
requests: the model may think for long, or the upstream may fail at them.
"""


class State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class Breaker:
    """Hold the state of the circuit and the time of the next probe.

    `base_s` is the first pause in seconds, doubled with each failure up to `CAP_FACTOR` times it; 0: the
    breaker never opens. `refusals_last`: an upgrade that was refused outright starts at the cap. `random`
    returns [0, 1).
    """

    def __init__(
        self, base_s: float, *, refusals_last: bool, clock: Callable[[], float], random: Callable[[], float]
    ) -> None:
        self._base_s = base_s
        self._refusals_last = refusals_last
        self._clock = clock
        self._random = random
        self._failures = 0
        self._silent_connections = 0
        self._source: frozenset[Hashable] = frozenset()
        self._retry_at = 0.0
        self.state = State.CLOSED

    def __repr__(self) -> str:
        return f"Breaker({self.state.value}, {self._failures} failures)"

    def admit(self) -> float:
        """Return 0 to let the caller dial, who then reports the outcome; otherwise the seconds to wait."""
        if self.state is State.CLOSED:
            return 0.0
        remaining = self._retry_at - self._clock()
        if self.state is State.OPEN and remaining <= 0:
            self._become(State.PROBING)
            return 0.0
        return max(remaining, 1.0)

    def succeeded(self) -> None:
        """Record a successful handshake. After silent connections it does not shorten the next pause."""
        self._become(State.CLOSED)
        if self._silent_connections < SILENT_CONNECTIONS:
            self._failures = 0

    def received(self) -> None:
        """Record that a connection received something, or that a turn succeeded over one."""
        self._silent_connections, self._source = 0, frozenset()
        if self.state is State.CLOSED:
            self._failures = 0

    def silent(self, error: TurnError, *source: Hashable) -> None:
        """Record the loss of a connection that never received anything. `source`: whose request it carried,
        and what else may be to blame.

        Until two in a row had nothing in common, one that shares something with the last does not count.
        """
        if self._silent_connections < SILENT_CONNECTIONS and not self._source.isdisjoint(source):
            return
        self._source = frozenset(source)
        self._silent_connections += 1
        if self._silent_connections >= SILENT_CONNECTIONS:
            self.failed(error)

    @property
    def ready(self) -> bool:
        """Whether `admit` would let the caller try now."""
        return self.state is State.CLOSED or (self.state is State.OPEN and self._clock() >= self._retry_at)

    def rest(self, seconds: float) -> None:
        """Open for so long, as the peer has asked for: that is no failure, and doubles nothing."""
        if self._base_s:
            self._retry_at = self._clock() + min(seconds, self._base_s * CAP_FACTOR)
            self._become(State.OPEN)

    def abandoned(self) -> None:
        """Record a dial without an outcome, as when its caller left: the next one probes."""
        if self.state is State.PROBING:
            self._become(State.OPEN)

    def failed(self, error: TurnError) -> None:
        """Open, for twice as long as the last time. Dials that failed together count as one failure."""
        if self.state is State.OPEN or not self._base_s:
            return
        cap = self._base_s * CAP_FACTOR
        status = error.upstream.status if error.upstream else 0
        pause = (
            cap if self._refusals_last and status in REFUSED_UPGRADES else self._base_s * 2**self._failures
        )
        # Jitter only shortens: a configured cap stays a cap.
        pause = min(pause, cap) * (1 - 0.2 * self._random())
        self._failures = min(self._failures + 1, CAP_FACTOR)
        self._retry_at = self._clock() + max(pause, min(error.retry_after or 0.0, cap))
        self._become(State.OPEN)

    def _become(self, state: State) -> None:
        if state is not self.state:
            logger.debug("breaker", extra={"state": state.value})
            self.state = state
