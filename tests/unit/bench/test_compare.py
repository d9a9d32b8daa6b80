from bench.compare import OFF, ON, pairs, report
from bench.sides import CALL, DELTA, Figures

ALL = [f"{age}, {telemetry}" for age in ("old", "new") for telemetry in (OFF, ON)]


def test_new_is_compared_with_old_and_on_with_off():
    assert set(pairs(ALL)) == {
        (f"new, {OFF}", f"old, {OFF}"),
        (f"new, {ON}", f"old, {ON}"),
        (f"old, {ON}", f"old, {OFF}"),
        (f"new, {ON}", f"new, {OFF}"),
    }


def test_one_checkout_shows_the_cost_of_telemetry():
    assert list(pairs(ALL[2:])) == [(f"new, {ON}", f"new, {OFF}")]


def test_a_ratio_is_taken_within_a_round():
    rounds = {
        f"old, {OFF}": [Figures(1000, 10), Figures(2000, 20), Figures(100, 1)],
        f"new, {OFF}": [Figures(1100, 20), Figures(2400, 40), Figures(90, 2)],
    }
    lines = [" ".join(line.split()) for line in report(CALL, rounds)]
    assert lines[1] == f"old, {OFF} 1,000 (100 to 2,000) 10.0 (1.0 to 20.0)"
    assert lines[-1] == f"new, {OFF} / old, {OFF} 1.10 (0.90 to 1.20) 2.00 (2.00 to 2.00)"


def test_cpu_time_is_divided_by_calls_or_by_deltas():
    assert (CALL.unit(500), DELTA.unit(500)) == (500, 500)
    assert DELTA.deltas > 1
