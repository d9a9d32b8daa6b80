"""Have the upstream compact a conversation, by one POST that one JSON object answers: `CompactionExchange`.

There is no retry. Nothing can be heard of the upstream until it has the whole answer, so the wait for that
has the longer of the two bounds that a turn's first event has.
"""

from __future__ import annotations

import time
from functools import partial

from service.domain.compaction import Compacted
from service.domain.errors import Reason, TurnError
from service.domain.limits import LARGE_BYTES
from service.transport.channel import Waits
from service.transport.http_stream import HttpStream
from service.wire.compaction import read_compacted, refusal
from service.workers import maybe_aside

HEADERS = {"Accept": "application/json"}


class CompactionExchange:
    """Carry one request and its answer, once.

    `dispatched`: the upstream may have read some of the request.
    """

    def __init__(self, channel: HttpStream, request: bytes | bytearray, waits: Waits) -> None:
        self.dispatched = False
        self.bytes_sent = len(request)
        self._channel = channel
        self._request = request
        self._waits = waits

    async def answer(self) -> Compacted:
        """Send the request and return its answer.

        Raises TurnError. Cancellation: the connection is closed before it is raised.
        """
        orderly = False
        try:
            frame = await self._frame()
            orderly = True
        except TurnError as error:
            if error.reason in (Reason.CONNECT_FAILED, Reason.OVERLOADED):
                self.dispatched = False  # these prove that nothing was sent
            raise refusal(error) from error
        finally:
            await self._channel.finish(orderly=orderly)
        return await maybe_aside(len(frame) > LARGE_BYTES, partial(read_compacted, frame))

    async def _frame(self) -> str | bytes:
        """Return the answer, as the event that `answer_body` makes of it."""
        waits = self._waits
        self.dispatched = True
        request, self._request = self._request, b""
        await self._channel.send(request, waits.send_s)
        del request
        limit_s, name = max(waits.first_event_s, waits.first_event_limit_s), "FIRST_EVENT_LIMIT_S"
        until = time.monotonic() + limit_s
        while True:
            try:
                frames = await self._channel.receive(until - time.monotonic())
            except TimeoutError as exc:
                message = f"the wait for the compaction took longer than {limit_s:g} s (TRUNKLINE_{name})"
                raise TurnError(Reason.TIMEOUT, message) from exc
            if frames:
                return frames[0]
