"""Notice the models that fail over WebSockets while others work there: `ModelBreakers`.

An upstream may serve one model badly over WebSockets: it answers each such turn with an error, or closes the
connection, and the same request by SSE succeeds. The connections of the others are fine, so the pool's
breaker must not open. Each such model has a breaker of its own, from its first failure to its next answer.

The turn whose failure opens it goes on by SSE. If that fails, too, the upstream is at fault and not its
WebSocket, and the breaker is forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from service.domain.errors import Reason, TurnError
from service.domain.messages import Transport
from service.domain.policy import Cause
from service.domain.report import TransportReason
from service.domain.turn_record import TurnRecord
from service.sessions.circuit_breaker import Breaker
from service.sessions.lease import NoConnectionError

MAX_MODELS = 1024
"""Models that are remembered; beyond that the one that failed longest ago is forgotten."""


class ModelBreakers:
    """Keep turns of a model off WebSockets for a while, after two sessions in a row failed with it there.

    `make` returns a closed breaker. `several`: whether more than one model is in use; a single one is the
    pool's breaker's.
    """

    def __init__(self, make: Callable[[], Breaker], several: Callable[[], bool]) -> None:
        self._make = make
        self._several = several
        self._breakers: OrderedDict[str, Breaker] = OrderedDict()

    def __repr__(self) -> str:
        return f"ModelBreakers({', '.join(f'{model}: {one!r}' for model, one in self._breakers.items())})"

    def __len__(self) -> int:
        return len(self._breakers)

    def check(self, model: str) -> None:
        """Raise NoConnectionError where the model is to go by SSE. Otherwise report the outcome."""
        breaker = self._breakers.get(model)
        if breaker is not None and (pause := breaker.admit()):
            message = (
                f"turns of this model failed over WebSockets lately; they go by SSE for {pause:.0f} s more"
            )
            error = TurnError(Reason.CONNECT_FAILED, message, retry_after=pause)
            raise NoConnectionError(error, TransportReason.MODEL_COOLDOWN)

    def failed(self, turn: TurnRecord, error: TurnError, source: Hashable) -> None:
        """Record that a request of the turn failed. `source`: whose it was.

        What the upstream refuses as a whole says nothing of the transport, nor does a failure after content.
        One by SSE says that the WebSocket is not to blame.
        """
        if error.policy.replay is not Cause.LOSS or turn.progress.streaming or not self._several():
            return
        model = turn.request.model
        if turn.transport is Transport.SSE:
            self._breakers.pop(model, None)
            return
        breaker = self._breakers.setdefault(model, self._make())
        self._breakers.move_to_end(model)
        breaker.silent(error, source)
        if len(self._breakers) > MAX_MODELS:
            self._breakers.popitem(last=False)

    def answered(self, turn: TurnRecord) -> None:
        """Record that the turn got its answer."""
        if self._breakers and turn.transport is Transport.WEBSOCKET:
            self._breakers.pop(turn.request.model, None)

    def left(self, model: str) -> None:
        """A turn of the model has ended without saying anything of its WebSocket."""
        breaker = self._breakers.get(model)
        if breaker is not None:
            breaker.abandoned()
