"""Whether dialling the upstream's WebSocket is worth trying: `Breaker`.

Owns the cool-down after a failed dial, and after lines that were opened and stayed mute. Must never know
sockets, sessions or how the dial is made. It exists so that a dead endpoint costs one wait and not one a
turn, and so that a revived one is met by one probe and not by a storm.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from enum import Enum

from service.domain.errors import TurnError
from service.telemetry import lines

CAP_FACTOR = 10
"""No pause is longer than this times the first one, whatever a `Retry-After` asks for: it may be one wrong
answer of a proxy.
"""

REFUSED_UPGRADES = frozenset({404, 405, 426, 501})
"""Handshake answers by which an endpoint says that it does not do WebSocket at all."""

SILENT_CONNECTIONS = 2
"""So many in a row, of different witnesses, count as a failed dial: what accepts handshakes and then says
nothing is no WebSocket. One may be chance, and all of one source may be what it asks for: a request that the
model thinks about for long, or that the upstream breaks at.
"""


class State(Enum):
    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class Breaker:
    """Closed: dial. Open: wait until `retry_at`. Then one dial, the probe, decides; the others go on waiting.

    `base_s` is the first pause, doubled with each failure up to `CAP_FACTOR` times it; 0: never opens.
    `refusals_last`: an upgrade that was refused outright starts at the cap. `random` gives [0, 1).
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
        self._source: Hashable = None
        self._retry_at = 0.0
        self.state = State.CLOSED

    def __repr__(self) -> str:
        return f"Breaker({self.state.value}, {self._failures} failures)"

    def admit(self) -> float:
        """0: dial, and say how it went. Otherwise: how many seconds to leave it be."""
        if self.state is State.CLOSED:
            return 0.0
        remaining = self._retry_at - self._clock()
        if self.state is State.OPEN and remaining <= 0:
            self._become(State.PROBING)
            return 0.0
        return max(remaining, 1.0)

    def succeeded(self) -> None:
        """A handshake ended well. Behind mute lines that alone makes the next pause no shorter."""
        self._become(State.CLOSED)
        if self._silent_connections < SILENT_CONNECTIONS:
            self._failures = 0

    def received(self) -> None:
        """A line said its first word, or a turn ended well over one."""
        self._silent_connections, self._source = 0, None
        if self.state is State.CLOSED:
            self._failures = 0

    def silent(self, error: TurnError, source: Hashable) -> None:
        """A line was lost, or given up, that had never said a word. `source`: whose request it carried.

        Until there were two different ones in a row, the same counts once.
        """
        if self._silent_connections < SILENT_CONNECTIONS and source == self._source:
            return
        self._source = source
        self._silent_connections += 1
        if self._silent_connections >= SILENT_CONNECTIONS:
            self.failed(error)

    def abandoned(self) -> None:
        """A dial ended without a verdict (its caller left): the next one probes."""
        if self.state is State.PROBING:
            self._become(State.OPEN)

    def failed(self, error: TurnError) -> None:
        """Opens, for twice as long as the last time. Dials that were under way together count as one
        failure.
        """
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
            lines.breaker_became(state.value)
            self.state = state
