"""One request and its answer, in order and within its waits, over a channel that does what the test says."""

import asyncio

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.events import Completed, Started, TextDelta, Usage
from service.domain.history import full_plan
from service.domain.messages import TextPart
from service.domain.plan import ContextReason, Plan
from service.transport import exchange as exchanges
from service.transport.channel import Waits
from service.transport.exchange import Exchange
from tests.unit.conftest import Clock
from tests.unit.wire.server_events import created, ended, frame, message, said, text_delta

FOREVER = 1000.0
SHORT = 0.05
LOST = TurnError(Reason.CONNECTION_LOST, "gone")
NO_ROUTE = TurnError(Reason.CONNECT_FAILED, "no route")
WHOLE = ended(output=[message("Hello.")], usage={"input_tokens": 3})


LIFE: list[str] = []
"""Bytes that are no event, after half of the short wait."""


class Scripted:
    """A channel. Each read gives a list of frames, raises, shows `LIFE`, or (None) never comes back.

    Waiting moves the `clock`, which stands still otherwise.
    """

    def __init__(
        self, *reads: list[str] | TurnError | None, is_open: bool = True, clock: Clock | None = None
    ) -> None:
        self.open = is_open
        self.closing = False
        self.received_any = False
        self.heard_at = 0.0
        self.sent: list[bytes] = []
        self.sent_at: float | None = None
        self.finished: list[bool] = []
        self.sending: asyncio.Future[None] | None = None
        self.may_wait: list[bool] = []
        self._reads = list(reads)
        self._clock = clock or Clock()

    async def settle(self) -> None:
        self.open = self.open and not self.closing

    async def send(self, data: bytes | bytearray, within_s: float) -> None:
        self.sent.append(bytes(data))
        if self.sending is not None:
            async with asyncio.timeout(within_s):
                await self.sending
        self.sent_at = 7.0

    async def finish(self, *, orderly: bool) -> None:
        self.finished.append(orderly)

    async def receive(self, within_s: float, *, may_wait: bool = False):
        self.may_wait.append(may_wait)
        read = self._reads.pop(0)
        if isinstance(read, TurnError):
            raise read
        if read is LIFE:
            self._wait(SHORT / 2, within_s)
            self.heard_at = self._clock.now
            return []
        if read is None:
            self._wait(FOREVER, within_s)
        return list(read or ())

    def _wait(self, wait_s: float, within_s: float) -> None:
        self._clock.now += min(wait_s, within_s + 0.001)
        if wait_s > within_s:
            raise TimeoutError


@pytest.fixture
def clock(clock, monkeypatch):
    monkeypatch.setattr(exchanges, "now", clock)
    return clock


def make(channel: Scripted, plan: Plan | None = None, **waits: float) -> Exchange:
    named = {
        "connect_s": FOREVER,
        "send_s": FOREVER,
        "first_event_s": FOREVER,
        "first_event_limit_s": FOREVER,
        "idle_s": FOREVER,
    }
    plan = plan or full_plan((), ContextReason.FIRST_TURN)
    return Exchange(channel, b'{"input":[]}', plan, Waits(**named | waits))


async def run(exchange):
    """The batches, and how it failed."""
    batches = []
    try:
        async with exchange:
            while not exchange.finished:
                batches.append(await exchange.receive())
    except TurnError as error:
        return batches, error
    return batches, None


async def test_what_is_read_together_is_emitted_together():
    channel = Scripted([created()], [text_delta("Hel"), text_delta("lo.")], [WHOLE])
    exchange = make(channel)
    batches, error = await run(exchange)
    assert error is None
    assert channel.sent == [b'{"input":[]}']
    assert [[type(event) for event in batch] for batch in batches] == [
        [Started],
        [TextDelta],
        [Completed],
    ]
    assert (exchange.dispatched, exchange.orderly, exchange.bytes_sent) == (True, True, 12)
    assert (exchange.sent_at, channel.finished) == (7.0, [True])
    assert exchange.usage == Usage(input_tokens=3, total_tokens=3, details_json='{"input_tokens": 3}')


async def test_a_read_without_news_is_empty():
    exchange = make(Scripted([frame("response.telepathy")], [created(), WHOLE]))
    batches, _ = await run(exchange)
    assert [bool(batch) for batch in batches] == [False, True]
    assert exchange.ignored == {"response.telepathy": 1}


async def test_nothing_is_read_after_the_end():
    channel = Scripted([created(), WHOLE], LOST)
    _, error = await run(make(channel))
    assert error is None


async def test_a_line_that_closed_before_proves_that_nothing_was_sent():
    channel = Scripted(is_open=False)
    exchange = make(channel)
    _, error = await run(exchange)
    assert error.reason is Reason.CONNECTION_LOST
    assert (exchange.dispatched, channel.sent) == (False, [])


async def test_an_end_that_has_arrived_but_was_not_read_proves_it_too():
    channel = Scripted()
    channel.closing = True
    exchange = make(channel)
    _, error = await run(exchange)
    assert error.reason is Reason.CONNECTION_LOST
    assert (exchange.dispatched, channel.sent) == (False, [])


async def test_a_connection_that_was_never_made_proves_it_too():
    """Over HTTP connecting is part of the exchange."""
    exchange = make(Scripted(NO_ROUTE))
    _, error = await run(exchange)
    assert error.reason is Reason.CONNECT_FAILED
    assert not exchange.dispatched


async def test_from_the_instant_before_it_is_written_a_request_may_have_been_seen():
    exchange = make(Scripted(LOST))
    _, error = await run(exchange)
    assert error.reason is Reason.CONNECTION_LOST
    assert exchange.dispatched


async def test_what_stands_before_a_failure_in_the_same_read_is_emitted_first():
    broken = frame("error", code="server_error", message="Oh.")
    exchange = make(Scripted([created(), text_delta("Half"), broken]))
    batches, error = await run(exchange)
    assert [type(event) for event in batches[0]] == [Started, TextDelta]
    assert error.reason is Reason.UPSTREAM_ERROR


async def test_of_an_answer_that_breaks_off_the_beginning_is_kept():
    exchange = make(Scripted([created(), text_delta("Half of an"), text_delta(" answer")], LOST))
    assert said(exchange) is None
    await run(exchange)
    assert said(exchange) == (TextPart("Half of an answer"),)
    assert not exchange.orderly


async def test_a_lost_chain_is_one_only_where_an_id_was_sent():
    lost = frame("error", code="previous_response_not_found", message="Not found.")
    _, error = await run(make(Scripted([lost]), Plan((), "resp_0", ContextReason.CONTINUED)))
    assert error.reason is Reason.CHAIN_LOST
    _, error = await run(make(Scripted([lost])))
    assert error.reason is Reason.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("reads", "waits", "named"),
    [
        ([None], {"first_event_s": SHORT}, "TRUNKLINE_FIRST_EVENT_TIMEOUT_S"),
        ([[created()], None], {"idle_s": SHORT}, "TRUNKLINE_IDLE_TIMEOUT_S"),
        ([[frame("response.telepathy")], None], {"first_event_s": SHORT}, "TRUNKLINE_FIRST_EVENT_TIMEOUT_S"),
        ([[created()], [frame("response.telepathy")], None], {"idle_s": SHORT}, "TRUNKLINE_IDLE_TIMEOUT_S"),
        (
            [LIFE] * 50,
            {"first_event_s": 10 * SHORT, "first_event_limit_s": 12 * SHORT},
            "TRUNKLINE_FIRST_EVENT_LIMIT_S",
        ),
        (
            [LIFE] * 50,
            {"first_event_s": SHORT, "first_event_limit_s": SHORT / 3},
            "TRUNKLINE_FIRST_EVENT_TIMEOUT_S",
        ),
        ([[created()], *[LIFE] * 50], {"idle_s": SHORT}, "TRUNKLINE_IDLE_TIMEOUT_S"),
    ],
    ids=[
        "first event",
        "idle",
        "first event after noise",
        "idle after noise",
        "limit",
        "a limit below the wait",
        "life is no event",
    ],
)
async def test_a_wait_that_runs_out_is_reported_by_its_name(clock, reads, waits, named):
    exchange = make(Scripted(*reads, clock=clock), **waits)
    _, error = await run(exchange)
    assert error.reason is Reason.TIMEOUT
    assert named in error.message
    assert exchange.dispatched


async def test_signs_of_life_hold_the_wait_for_the_first_event(clock):
    exchange = make(Scripted(*[LIFE] * 30, [created()], [WHOLE], clock=clock), first_event_s=10 * SHORT)
    _, error = await run(exchange)
    assert error is None
    assert exchange.orderly


async def test_writing_that_takes_too_long_is_reported_by_its_name():
    channel = Scripted()
    channel.sending = asyncio.get_running_loop().create_future()
    exchange = make(channel, send_s=SHORT)
    _, error = await run(exchange)
    assert error.reason is Reason.TIMEOUT
    assert "TRUNKLINE_SEND_TIMEOUT_S" in error.message
    assert exchange.dispatched


async def test_the_time_that_the_caller_takes_is_not_the_upstreams(clock):
    """Between two reads nobody waits for the upstream: no wait runs."""
    channel = Scripted([created()], LIFE, [text_delta("Hello.")], LIFE, [WHOLE], clock=clock)
    exchange = make(channel, first_event_s=SHORT, idle_s=SHORT)
    while not exchange.finished:
        await exchange.receive()
        clock.now += 2 * SHORT
    assert exchange.orderly


async def test_a_caller_who_leaves_early_leaves_an_answer_that_is_not_over():
    channel = Scripted([created()], [text_delta("Hello.")], [WHOLE])
    exchange = make(channel)
    async with exchange:
        await exchange.receive()
    assert (exchange.dispatched, exchange.orderly) == (True, False)
    assert channel.finished == [False]
