"""The delay between two polls of running answers, and which sockets it applies to."""

import asyncio
import inspect
import socket
import time
from contextlib import ExitStack
from itertools import chain
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector, SelectorKey

import pytest

from service.runtime.paced_loop import (
    ANSWERS_PER_ROUND,
    BUSY,
    FIRST_S,
    FULL,
    LONGEST_S,
    MAX_PASSED,
    PERIOD_S,
    QUIET,
    RELEASED_PER_PERIOD,
    SHARED_S,
    SPARE,
    PacedSelector,
    next_delay,
)


def after(periods: int, busy: float, delay_s: float = 0.0) -> float:
    for _ in range(periods):
        delay_s = next_delay(delay_s, busy)
    return delay_s


@pytest.mark.parametrize("busy", [0.0, QUIET, BUSY])
def test_an_idle_loop_delays_nothing(busy):
    assert after(100, busy) == 0.0


@pytest.mark.parametrize("busy", [BUSY + 0.01, SPARE, FULL])
def test_a_busy_loop_delays_by_the_shared_interval_only(busy):
    assert after(100, busy) == SHARED_S


def test_a_busy_loop_stays_busy_until_it_is_quiet():
    assert after(100, QUIET + 0.01, SHARED_S) == SHARED_S
    assert after(1, QUIET, SHARED_S) == 0.0
    assert after(1, QUIET, LONGEST_S) == 0.0


def test_a_full_loop_lengthens_the_delay_up_to_its_bound():
    assert FIRST_S <= after(3, 1.0) < LONGEST_S
    assert after(100, 1.0) == LONGEST_S


def test_the_delay_stays_where_the_loop_just_keeps_up():
    assert after(50, (SPARE + FULL) / 2, 0.1) == 0.1


def test_the_delay_shrinks_when_there_is_time_to_spare():
    assert after(1, SPARE / 2, LONGEST_S) == LONGEST_S / 2
    assert after(100, SPARE - 0.1, LONGEST_S) == SHARED_S


class Polled:
    """A selector on a clock that the test sets, and sockets that have something to read."""

    def __init__(self, monkeypatch, stack: ExitStack) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        self._stack = stack
        self.selector = PacedSelector()
        stack.callback(self.selector.close)

    def sockets(self, number: int, *, throttled: bool, ready: bool = True) -> list[socket.socket]:
        """Each registered with its number."""
        made = []
        for index in range(number):
            ours, theirs = socket.socketpair()
            for end in (ours, theirs):
                self._stack.callback(end.close)
            self.selector.register(ours.fileno(), EVENT_READ, index)
            if ready:
                theirs.send(b"x")
            if throttled:
                self.selector.throttle(ours.fileno())
            made.append(ours)
        return made

    def quiet(self) -> None:
        """A period passes, and the loop has nothing to do."""
        self.now += PERIOD_S * 2
        self.selector._waited_s += PERIOD_S * 2

    def found(self, timeout: float | None = 0) -> list[int]:
        return [key.fd for key, _ in self.selector.select(timeout)]


@pytest.fixture
def polled(monkeypatch):
    with ExitStack() as stack:
        yield Polled(monkeypatch, stack)


def numbers(sockets) -> list[int]:
    return [one.fileno() for one in sockets]


def test_throttling_does_nothing_without_a_delay(polled):
    assert polled.found() == []
    (one,) = polled.sockets(1, throttled=True)
    assert polled.found() == [one.fileno()]


def test_answers_are_polled_together_once_per_delay(polled):
    polled.selector.delay_s = SHARED_S
    answers = polled.sockets(2 * ANSWERS_PER_ROUND, throttled=True)
    assert sorted(polled.found()) == sorted(numbers(answers))
    assert polled.found() == []
    polled.now += SHARED_S / 2
    assert polled.found() == []
    polled.now += SHARED_S
    assert sorted(polled.found()) == sorted(numbers(answers))


def test_an_unoccupied_loop_wakes_for_the_next_poll(polled):
    polled.selector.delay_s = SHARED_S
    (answer,) = polled.sockets(1, throttled=True)
    polled.found()
    assert polled.found(None) == []  # without a timeout it would hang
    polled.now += SHARED_S
    assert polled.found(None) == [answer.fileno()]


def test_what_is_new_does_not_wait_for_the_next_poll(polled):
    polled.selector.delay_s = LONGEST_S
    polled.sockets(1, throttled=True)
    polled.found()
    (new,) = polled.sockets(1, throttled=False)
    assert polled.found(None) == [new.fileno()]


def test_a_full_loop_serves_a_few_answers_per_round_in_order(polled):
    polled.selector.delay_s = LONGEST_S
    answers = polled.sockets(3 * ANSWERS_PER_ROUND, throttled=True)
    seen = [polled.found(None) for _ in range(3)]
    assert [len(some) for some in seen] == [ANSWERS_PER_ROUND] * 3
    assert sorted(chain(*seen)) == sorted(numbers(answers))


def test_a_full_loop_serves_new_sockets_first_but_starves_no_answer(polled):
    polled.selector.delay_s = LONGEST_S
    polled.sockets(1, throttled=True)
    (new,) = polled.sockets(1, throttled=False)
    rounds = [polled.found() for _ in range(MAX_PASSED + 1)]
    assert rounds[:-1] == [[new.fileno()]] * MAX_PASSED
    assert len(rounds[-1]) == 2


def test_callbacks_that_are_ready_run_before_throttled_answers(polled):
    """asyncio asks with a timeout of 0 while it has something to run."""
    polled.selector.delay_s = LONGEST_S
    (answer,) = polled.sockets(1, throttled=True)
    assert polled.found(0) == []
    assert polled.found(None) == [answer.fileno()]


def test_a_prioritised_socket_wakes_the_loop_again(polled):
    polled.selector.delay_s = LONGEST_S
    (answer,) = polled.sockets(1, throttled=True)
    polled.found(None)
    assert polled.selector.prioritise(answer.fileno())
    assert not polled.selector.prioritise(answer.fileno())
    assert polled.found(None) == [answer.fileno()]


def test_an_unregistered_socket_is_not_throttled_when_its_number_returns(polled):
    polled.selector.delay_s = LONGEST_S
    answer, other = polled.sockets(2, throttled=True)
    polled.found(0)  # both are known to be ready
    polled.selector.unregister(answer.fileno())
    assert polled.found(None) == [other.fileno()]
    polled.selector.register(answer.fileno(), EVENT_READ, "new")
    assert polled.found(None) == [answer.fileno()]
    with pytest.raises(KeyError):
        polled.selector.unregister(12345)


def test_an_unregistered_socket_cannot_be_throttled(polled):
    polled.selector.delay_s = LONGEST_S
    (one,) = polled.sockets(1, throttled=False)
    polled.selector.unregister(one.fileno())
    polled.selector.throttle(one.fileno())
    polled.selector.register(one.fileno(), EVENT_READ)
    assert polled.found() == [one.fileno()]


def test_a_throttled_socket_can_be_modified_and_looked_up(polled):
    polled.selector.delay_s = SHARED_S
    (one,) = polled.sockets(1, throttled=True)
    polled.selector.modify(one.fileno(), EVENT_READ | EVENT_WRITE, "changed")
    assert polled.selector.get_key(one.fileno()).data == "changed"
    assert polled.found() == [one.fileno()]


def test_an_idle_loop_releases_all_throttled_sockets(polled):
    polled.selector.delay_s = SHARED_S
    (one,) = polled.sockets(1, throttled=True)
    polled.found()

    polled.quiet()
    assert polled.found() == [one.fileno()]
    assert polled.selector.delay_s == 0.0


def test_the_wait_after_much_work_does_not_count_as_idle(polled):
    """A full loop serves what gathered, then waits for the next poll: its share is that of both together."""
    polled.selector.delay_s = LONGEST_S
    polled.sockets(3 * ANSWERS_PER_ROUND, throttled=True)
    for _ in range(3):
        polled.found(None)
        polled.now += LONGEST_S / 4
    polled.selector._waited_s += LONGEST_S / 4  # the last fourth of the time
    polled.now += LONGEST_S / 4
    polled.found(None)
    assert polled.selector.delay_s == pytest.approx(next_delay(LONGEST_S, 3 / 4))


def test_thousands_of_sockets_are_released_over_several_periods(polled):
    polled.selector.delay_s = SHARED_S
    polled.sockets(RELEASED_PER_PERIOD + 1, throttled=True, ready=False)
    polled.quiet()
    assert polled.found() == []
    assert polled.selector.delay_s == SHARED_S
    polled.quiet()
    assert polled.found() == []
    assert polled.selector.delay_s == 0.0


def test_an_event_loop_on_the_selector_measures_how_busy_it_is():
    selector = PacedSelector()

    async def work() -> float:
        # Where the process stood still, a period may look busy that was not.
        await asyncio.sleep(PERIOD_S * 1.5)
        while selector.delay_s:  # noqa: ASYNC110  it is to be idle
            await asyncio.sleep(PERIOD_S * 1.5)
        while not selector.delay_s:  # noqa: ASYNC110  it is to be busy
            await asyncio.sleep(0)
        return selector.delay_s

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        assert runner.run(work()) == FIRST_S


@pytest.mark.parametrize("delay_s", [0.0, SHARED_S, FIRST_S])
def test_throttled_paused_and_closed_streams_lose_nothing(delay_s):
    selector = PacedSelector()
    words = [b"%d\n" % number for number in range(300)]

    async def receive(theirs: socket.socket) -> list[bytes]:
        reader, writer = await asyncio.open_connection(sock=theirs, limit=64)
        received = []
        while line := await reader.readline():
            selector.delay_s = delay_s
            selector.throttle(theirs.fileno())
            received.append(line)
        writer.close()
        return received

    async def send(ours: socket.socket) -> None:
        _, writer = await asyncio.open_connection(sock=ours)
        for word in words:
            writer.write(word)
            await asyncio.sleep(0)
        writer.close()

    async def exchange() -> list[list[bytes]]:
        pairs = [socket.socketpair() for _ in range(20)]
        receiving = asyncio.gather(*(receive(theirs) for _, theirs in pairs))
        await asyncio.gather(*(send(ours) for ours, _ in pairs))
        return await receiving

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        assert runner.run(asyncio.wait_for(exchange(), 60)) == [words] * 20


def test_selectors_and_asyncio_have_the_api_that_is_extended():
    """asyncio passes any selector to `SelectorEventLoop` and calls these methods, with these parameters."""
    parameters = {
        "unregister": ["self", "fileobj"],
        "modify": ["self", "fileobj", "events", "data"],
        "get_key": ["self", "fileobj"],
        "select": ["self", "timeout"],
        "close": ["self"],
    }
    for name, expected in parameters.items():
        assert list(inspect.signature(getattr(DefaultSelector, name)).parameters) == expected
    assert list(inspect.signature(asyncio.SelectorEventLoop).parameters) == ["selector"]
    assert SelectorKey._fields == ("fileobj", "fd", "events", "data")
