"""The pause that lets answers gather: none while the loop has time to spare, bounded when it has not."""

import asyncio

import pytest

from service.transport.pace import BUSY, FIRST_S, LONGEST_S, PERIOD_S, SPARE, STALE_S, Idle, Pace


class Loop:
    """Time passes as it is told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waited = 0.0
        self.pace = Pace(lambda: self.waited)
        self.pace.look(self.now)

    def periods(self, number: int, *, busy: float) -> float:
        for _ in range(number * 10):
            self.now += PERIOD_S / 10 + 1e-9
            self.waited += (1 - busy) * PERIOD_S / 10
            self.pace.look(self.now)
        return self.pace.hold_s


@pytest.fixture
def loop():
    return Loop()


@pytest.mark.parametrize("busy", [0.0, SPARE - 0.01, BUSY - 0.01])
def test_with_time_to_spare_nothing_waits(loop, busy):
    assert loop.periods(100, busy=busy) == 0.0


def test_it_grows_while_there_is_none_up_to_its_bound(loop):
    assert FIRST_S <= loop.periods(3, busy=1.0) < LONGEST_S
    assert loop.periods(100, busy=1.0) == LONGEST_S


def test_it_stays_where_the_loop_just_keeps_up(loop):
    held = loop.periods(6, busy=1.0)
    assert loop.periods(50, busy=(SPARE + BUSY) / 2) == held


def test_it_goes_back_to_nothing(loop):
    loop.periods(20, busy=1.0)
    assert loop.periods(100, busy=0.1) == 0.0


def test_what_was_seen_long_ago_says_nothing_of_now(loop):
    loop.periods(20, busy=1.0)
    loop.pace.look(loop.now + STALE_S + PERIOD_S)
    assert loop.pace.hold_s == 0.0


def test_where_nobody_knows_nothing_ever_waits():
    pace = Pace()
    for number in range(1000):
        pace.look(float(number))
    assert pace.hold_s == 0.0


def test_a_loop_tells_how_long_it_had_nothing_to_do():
    selector = Idle()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        runner.run(asyncio.sleep(0.05))
    assert selector.waited_s >= 0.04
