"""Write one request upstream, and decode its answer: `Exchange`.

`receive` is called until the exchange is `finished`; the first call writes the request. It is the same for
every channel, so that the same upstream events become the same domain events over each.
Every wait has a timeout that is a setting, and its error names the setting.
"""

from __future__ import annotations

from types import TracebackType

from service.domain.errors import Reason, TurnError, forget_frames
from service.domain.events import Event, Started, Usage
from service.domain.messages import Message
from service.domain.plan import Plan
from service.transport.channel import Channel, Waits
from service.transport.receive_buffer import now
from service.wire.request import bytes_saved
from service.wire.response_assembler import REDUNDANT
from service.wire.response_decoder import ResponseDecoder

IMMEDIATE_READS = 1
"""Deliver the first N reads with content immediately; later ones may wait (`Channel.receive`) and be
coalesced. A short answer is not delayed.
"""


class Exchange:
    """Carry one request and its answer, once. Leaving the block cuts an unfinished answer off.

    `dispatched`: the upstream may have read some of the request. `sent_at`: when the request was written
    whole, on the monotonic clock in seconds; None: not yet. `shared`: the channel may carry other responses,
    too.
    """

    def __init__(
        self, channel: Channel, request: bytes | bytearray, plan: Plan, waits: Waits, *, shared: bool = True
    ) -> None:
        self.plan = plan
        self.dispatched = False
        self.sent_at: float | None = None
        self._channel = channel
        self._request = request
        self._bytes_sent = len(request)
        self._waits = waits
        self._decoder = ResponseDecoder(continuing=plan.incremental, shared=shared)
        self._begun = False
        self._delivered = 0
        self._answering = False
        self._waiting_since: float | None = None
        self._failure: TurnError | None = None

    async def __aenter__(self) -> Exchange:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        await self._channel.finish(orderly=self.orderly)

    @property
    def finished(self) -> bool:
        """Whether there is nothing more to receive."""
        return self._decoder.finished and self._failure is None

    @property
    def orderly(self) -> bool:
        """Whether the upstream ended the response, so that the connection can carry another."""
        return self._decoder.orderly

    @property
    def silent(self) -> bool:
        """Whether the channel has never received anything, in this exchange or before."""
        return not self._channel.received_any

    @property
    def bytes_sent(self) -> int:
        return self._bytes_sent

    @property
    def bytes_saved(self) -> int:
        """How much longer the request would have been with the whole history, in bytes."""
        return bytes_saved(self.plan)

    @property
    def size(self) -> int:
        """The size of the request and the answer, in bytes."""
        return self._bytes_sent + self._decoder.size

    @property
    def usage(self) -> Usage | None:
        return self._decoder.usage

    @property
    def ignored(self) -> dict[str, int]:
        """How many events of each type were ignored, except `REDUNDANT`."""
        return {kind: number for kind, number in self._decoder.ignored.items() if kind not in REDUNDANT}

    def partial(self) -> Message | None:
        return self._decoder.partial()

    async def receive(self) -> list[Event]:
        """Return the events of the next read; the list is empty if they say nothing to the caller.

        Raises TurnError if the exchange fails. Events of the same read are returned first.

        Cancellation: the channel is in the middle of an answer and must not be used again.
        """
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        try:
            if not self._begun:
                self._begun = True
                await self._send()
            return self._decode(await self._frames())
        except TurnError as error:
            if error.reason in (Reason.CONNECT_FAILED, Reason.OVERLOADED):
                self.dispatched = False  # these prove that nothing was sent
            raise
        finally:
            if self.sent_at is None:
                self.sent_at = self._channel.sent_at

    async def _frames(self) -> list[str | bytes]:
        moment = now()
        since = self._waiting_since = moment if self._waiting_since is None else self._waiting_since
        wait = self._deadline(since) - moment
        try:
            frames = await self._channel.receive(wait, may_wait=self._delivered > IMMEDIATE_READS)
        except TimeoutError as exc:
            moment = now()
            if moment < self._deadline(since):
                return []  # the peer showed life meanwhile
            raise self._silence(moment - since) from exc
        if frames and self._answering:
            self._waiting_since = None
        return frames

    def _deadline(self, since: float) -> float:
        """Return until when the peer may take, having been waited for since then.

        Before the first event, whatever it sends is a sign of life: a server that reads a long prompt sends
        comments or pings, and the same request once more would cost the same again. In an answer only events
        count.
        """
        waits = self._waits
        if self._answering:
            return since + waits.idle_s
        limit_s = max(waits.first_event_s, waits.first_event_limit_s)
        return min(max(since, self._channel.heard_at) + waits.first_event_s, since + limit_s)

    def _silence(self, waited_s: float) -> TurnError:
        waits, what = self._waits, "the wait for the upstream's next event"
        if self._answering:
            return _out_of_time(what, waits.idle_s, "IDLE_TIMEOUT_S")
        if waited_s >= waits.first_event_limit_s > waits.first_event_s:
            return _out_of_time(what, waits.first_event_limit_s, "FIRST_EVENT_LIMIT_S")
        return _out_of_time(what, waits.first_event_s, "FIRST_EVENT_TIMEOUT_S")

    def _decode(self, frames: list[str | bytes]) -> list[Event]:
        events: list[Event] = []
        try:
            self._decoder.feed(frames, events)
        except TurnError as error:
            if not events:
                raise
            forget_frames(error)  # they refer to this exchange
            self._failure = error
        if events:
            if not self._answering:
                self._answering, self._waiting_since = True, None
            self._delivered += not isinstance(events[-1], Started)
        return events

    async def _send(self) -> None:
        await self._channel.settle()
        if not self._channel.open:
            raise TurnError(Reason.CONNECTION_LOST, "the connection closed before the request was written")
        self.dispatched = True
        wait = self._waits.send_s
        try:
            # Released: an answer may take minutes, and a replay encodes the request again.
            request, self._request = self._request, b""
            await self._channel.send(request, wait)
        except TimeoutError as exc:
            raise _out_of_time("writing the request", wait, "SEND_TIMEOUT_S") from exc


def _out_of_time(what: str, wait_s: float, setting: str) -> TurnError:
    return TurnError(Reason.TIMEOUT, f"{what} took longer than {wait_s:g} s (TRUNKLINE_{setting})")
