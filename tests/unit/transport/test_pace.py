"""The pause that lets answers gather: none while the loop is on time, bounded when it is not."""

import pytest

from service.transport.pace import FIRST_S, LATE_S, LONGEST_S, PERIOD_S, STALE_S, Pace


def shown(pace: Pace, waited_s: float, periods: int, start: float = 1.0) -> float:
    """So many periods, with ten reads in each that waited that long. Returns the time behind them."""
    moment = start
    for _ in range(periods * 10):
        moment += PERIOD_S / 10 + 1e-9
        pace.saw(waited_s, moment)
    return moment


def test_on_time_nothing_waits():
    pace = Pace()
    shown(pace, LATE_S / 3, 100)
    assert pace.hold_s == 0.0


def test_it_grows_while_the_loop_is_late_up_to_its_bound():
    pace = Pace()
    moment = shown(pace, LATE_S * 2, 2)
    assert FIRST_S <= pace.hold_s < LONGEST_S
    shown(pace, LATE_S * 2, 100, moment)
    assert pace.hold_s == LONGEST_S


def test_it_stays_where_the_loop_just_keeps_up():
    pace = Pace()
    moment = shown(pace, LATE_S * 2, 4)
    moment = shown(pace, LATE_S * 0.75, 1, moment)
    held = pace.hold_s
    shown(pace, LATE_S * 0.75, 50, moment)
    assert pace.hold_s == held


def test_it_goes_back_to_nothing():
    pace = Pace()
    moment = shown(pace, LATE_S * 2, 20)
    shown(pace, 0.0, 100, moment)
    assert pace.hold_s == 0.0


def test_one_late_read_among_many_is_no_news():
    pace = Pace()
    moment = 1.0
    for number in range(1000):
        moment += PERIOD_S / 100
        pace.saw(LATE_S * 10 if number % 100 == 50 else 0.0, moment)
    assert pace.hold_s == 0.0


@pytest.mark.parametrize("waited_s", [0.0, LATE_S * 10])
def test_what_was_seen_long_ago_says_nothing_of_now(waited_s):
    pace = Pace()
    moment = shown(pace, LATE_S * 2, 20)
    pace.saw(waited_s, moment + STALE_S + PERIOD_S)
    assert pace.hold_s == 0.0
