"""The pause between two looks at running answers: none while the loop has time to spare, bounded when it has
not; and what is new never waits for it.
"""

import asyncio
import socket
import time
from contextlib import ExitStack
from itertools import chain
from selectors import EVENT_READ, EVENT_WRITE

import pytest

from service.runtime.paced_loop import (
    AT_ONCE,
    BUSY,
    FIRST_S,
    FULL,
    LONGEST_S,
    PASSED,
    PERIOD_S,
    QUIET,
    RETURNED,
    SHARED_S,
    SPARE,
    Pace,
    PacedSelector,
    pause,
)


def after(periods: int, busy: float, now_s: float = 0.0) -> float:
    for _ in range(periods):
        now_s = pause(now_s, busy)
    return now_s


@pytest.mark.parametrize("busy", [0.0, QUIET, BUSY])
def test_with_time_to_spare_nothing_waits(busy):
    assert after(100, busy) == 0.0


@pytest.mark.parametrize("busy", [BUSY + 0.01, SPARE, FULL])
def test_a_busy_loop_shares_its_wake_ups_and_no_more(busy):
    assert after(100, busy) == SHARED_S


def test_they_are_shared_until_it_is_quiet_since_sharing_makes_it_less_busy():
    assert after(100, QUIET + 0.01, SHARED_S) == SHARED_S
    assert after(1, QUIET, SHARED_S) == 0.0
    assert after(1, QUIET, LONGEST_S) == 0.0


def test_it_grows_while_there_is_no_time_left_up_to_its_bound():
    assert FIRST_S <= after(3, 1.0) < LONGEST_S
    assert after(100, 1.0) == LONGEST_S


def test_it_stays_where_the_loop_just_keeps_up():
    assert after(50, (SPARE + FULL) / 2, 0.1) == 0.1


def test_it_goes_back_to_nothing():
    assert after(1, SPARE / 2, LONGEST_S) == LONGEST_S / 2
    assert after(100, SPARE - 0.1, LONGEST_S) == SHARED_S


def test_where_nobody_keeps_it_nothing_waits():
    unkept = Pace()
    unkept.defer(1)
    assert not unkept.prefer(1)
    assert unkept.hold_s == 0.0


class House:
    """A selector at a time that the test tells, and sockets that have something to read."""

    def __init__(self, monkeypatch, stack: ExitStack) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        self._stack = stack
        self.selector = PacedSelector()
        stack.callback(self.selector.close)

    def sockets(self, number: int, *, deferred: bool, ready: bool = True) -> list[socket.socket]:
        """Each registered with its number."""
        made = []
        for index in range(number):
            ours, theirs = socket.socketpair()
            for end in (ours, theirs):
                self._stack.callback(end.close)
            self.selector.register(ours.fileno(), EVENT_READ, index)
            if ready:
                theirs.send(b"x")
            if deferred:
                self.selector.defer(ours.fileno())
            made.append(ours)
        return made

    def quiet(self) -> None:
        """A period passes, and the loop has nothing to do."""
        self.now += PERIOD_S * 2
        self.selector._waited_s += PERIOD_S * 2

    def found(self, timeout: float | None = 0) -> list[int]:
        return [key.fd for key, _ in self.selector.select(timeout)]


@pytest.fixture
def house(monkeypatch):
    with ExitStack() as stack:
        yield House(monkeypatch, stack)


def numbers(sockets) -> list[int]:
    return [one.fileno() for one in sockets]


def test_without_a_pause_what_is_deferred_wakes_the_loop_like_all_else(house):
    assert house.found() == []
    (one,) = house.sockets(1, deferred=True)
    assert house.found() == [one.fileno()]


def test_answers_are_looked_at_together_once_in_a_pause(house):
    house.selector.hold_s = SHARED_S
    answers = house.sockets(2 * AT_ONCE, deferred=True)
    assert sorted(house.found()) == sorted(numbers(answers))
    assert house.found() == []
    house.now += SHARED_S / 2
    assert house.found() == []
    house.now += SHARED_S
    assert sorted(house.found()) == sorted(numbers(answers))


def test_a_loop_with_nothing_else_to_do_wakes_for_the_next_look(house):
    house.selector.hold_s = SHARED_S
    (answer,) = house.sockets(1, deferred=True)
    house.found()
    assert house.found(None) == []  # it would hang if it waited for what may never come
    house.now += SHARED_S
    assert house.found(None) == [answer.fileno()]


def test_what_is_new_does_not_wait_for_the_next_look(house):
    house.selector.hold_s = LONGEST_S
    house.sockets(1, deferred=True)
    house.found()
    (new,) = house.sockets(1, deferred=False)
    assert house.found(None) == [new.fileno()]


def test_a_full_loop_takes_a_few_answers_at_a_time_each_in_its_turn(house):
    house.selector.hold_s = LONGEST_S
    answers = house.sockets(3 * AT_ONCE, deferred=True)
    seen = [house.found(None) for _ in range(3)]
    assert [len(some) for some in seen] == [AT_ONCE] * 3
    assert sorted(chain(*seen)) == sorted(numbers(answers))


def test_in_a_full_loop_what_is_new_goes_before_the_answers_but_not_for_ever(house):
    house.selector.hold_s = LONGEST_S
    house.sockets(1, deferred=True)
    (new,) = house.sockets(1, deferred=False)
    rounds = [house.found() for _ in range(PASSED + 1)]
    assert rounds[:-1] == [[new.fileno()]] * PASSED
    assert len(rounds[-1]) == 2


def test_work_that_is_ready_goes_before_the_answers_too(house):
    """asyncio asks with a timeout of 0 while it has something to run."""
    house.selector.hold_s = LONGEST_S
    (answer,) = house.sockets(1, deferred=True)
    assert house.found(0) == []
    assert house.found(None) == [answer.fileno()]


def test_whoever_is_preferred_again_wakes_the_loop(house):
    house.selector.hold_s = LONGEST_S
    (answer,) = house.sockets(1, deferred=True)
    house.found(None)
    assert house.selector.prefer(answer.fileno())
    assert not house.selector.prefer(answer.fileno())
    assert house.found(None) == [answer.fileno()]


def test_who_is_no_longer_read_is_not_deferred_either_whatever_becomes_of_its_number(house):
    house.selector.hold_s = LONGEST_S
    answer, other = house.sockets(2, deferred=True)
    house.found(0)  # both are known to be ready
    house.selector.unregister(answer.fileno())
    assert house.found(None) == [other.fileno()]
    house.selector.register(answer.fileno(), EVENT_READ, "new")
    assert house.found(None) == [answer.fileno()]
    with pytest.raises(KeyError):
        house.selector.unregister(12345)


def test_a_socket_that_is_not_read_cannot_be_deferred(house):
    house.selector.hold_s = LONGEST_S
    (one,) = house.sockets(1, deferred=False)
    house.selector.unregister(one.fileno())
    house.selector.defer(one.fileno())
    house.selector.register(one.fileno(), EVENT_READ)
    assert house.found() == [one.fileno()]


def test_a_deferred_socket_is_still_known_and_can_be_changed(house):
    house.selector.hold_s = SHARED_S
    (one,) = house.sockets(1, deferred=True)
    house.selector.modify(one.fileno(), EVENT_READ | EVENT_WRITE, "changed")
    assert house.selector.get_key(one.fileno()).data == "changed"
    assert house.found() == [one.fileno()]


def test_when_the_loop_has_time_again_everything_wakes_it_as_before(house):
    house.selector.hold_s = SHARED_S
    (one,) = house.sockets(1, deferred=True)
    house.found()

    house.quiet()
    assert house.found() == [one.fileno()]
    assert house.selector.hold_s == 0.0


def test_the_rest_behind_much_work_is_no_quiet(house):
    """A full loop works off what gathered, and then waits for the next look: only both together tell."""
    house.selector.hold_s = LONGEST_S
    house.sockets(3 * AT_ONCE, deferred=True)
    for _ in range(3):
        house.found(None)
        house.now += LONGEST_S / 4
    house.selector._waited_s += LONGEST_S / 4  # the last fourth of the time
    house.now += LONGEST_S / 4
    house.found(None)
    assert house.selector.hold_s == pytest.approx(pause(LONGEST_S, 3 / 4))


def test_of_thousands_each_look_returns_some(house):
    house.selector.hold_s = SHARED_S
    house.sockets(RETURNED + 1, deferred=True, ready=False)
    house.quiet()
    assert house.found() == []
    assert house.selector.hold_s == SHARED_S
    house.quiet()
    assert house.found() == []
    assert house.selector.hold_s == 0.0


def test_a_loop_on_it_knows_how_busy_it_is():
    selector = PacedSelector()

    async def work() -> float:
        await asyncio.sleep(PERIOD_S * 1.5)
        assert selector.hold_s == 0.0
        loop = asyncio.get_running_loop()
        until = loop.time() + PERIOD_S * 10
        while loop.time() < until and not selector.hold_s:  # noqa: ASYNC110  it is to be busy
            await asyncio.sleep(0)
        return selector.hold_s

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        assert runner.run(work()) == FIRST_S


@pytest.mark.parametrize("hold_s", [0.0, SHARED_S, FIRST_S])
def test_streams_on_such_a_loop_lose_nothing(hold_s):
    """Each of them deferred, paused, read on, closed."""
    selector = PacedSelector()
    words = [b"%d\n" % number for number in range(300)]

    async def listen(theirs: socket.socket) -> list[bytes]:
        reader, writer = await asyncio.open_connection(sock=theirs, limit=64)
        heard = []
        while line := await reader.readline():
            selector.hold_s = hold_s
            selector.defer(theirs.fileno())
            heard.append(line)
        writer.close()
        return heard

    async def speak(ours: socket.socket) -> None:
        _, writer = await asyncio.open_connection(sock=ours)
        for word in words:
            writer.write(word)
            await asyncio.sleep(0)
        writer.close()

    async def talk() -> list[list[bytes]]:
        pairs = [socket.socketpair() for _ in range(20)]
        listening = asyncio.gather(*(listen(theirs) for _, theirs in pairs))
        await asyncio.gather(*(speak(ours) for ours, _ in pairs))
        return await listening

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        assert runner.run(asyncio.wait_for(talk(), 60)) == [words] * 20
