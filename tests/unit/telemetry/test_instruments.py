from pathlib import Path

import pytest
from opentelemetry.metrics import NoOpMeter

from service.telemetry import names
from service.telemetry.gauges import Gauges
from service.telemetry.instruments import BUCKETS, MAX_VALUES, Bounded, Instruments, views

PAGE = Path(__file__).parents[3] / "docs/observability.md"


class Meter(NoOpMeter):
    """Writes down what is made."""

    def __init__(self):
        super().__init__("test")
        self.counters: list[str] = []
        self.histograms: list[str] = []
        self.gauges: list[str] = []

    def create_counter(self, name, *args, **kwargs):
        self.counters.append(name)
        return super().create_counter(name, *args, **kwargs)

    def create_histogram(self, name, *args, **kwargs):
        self.histograms.append(name)
        return super().create_histogram(name, *args, **kwargs)

    def create_observable_gauge(self, name, *args, **kwargs):
        self.gauges.append(name)
        return super().create_observable_gauge(name, *args, **kwargs)


MADE = Meter()
Instruments(MADE)
Gauges(MADE)


def test_values_are_bounded():
    bounded = Bounded()
    first = [bounded(f"model-{number}") for number in range(MAX_VALUES)]
    assert first == [f"model-{number}" for number in range(MAX_VALUES)]
    assert bounded("one more") == "other"
    assert bounded("model-0") == "model-0"


def test_times_are_told_apart_up_to_ten_minutes():
    """All but the loop's own: whoever waits that long for the loop has other troubles."""
    times = {name: bounds for name, bounds in BUCKETS.items() if name.endswith(("duration", "wait", "chunk"))}
    assert {max(bounds) for bounds in times.values()} == {600.0}
    assert all(list(bounds) == sorted(set(bounds)) for bounds in BUCKETS.values())


def test_each_histogram_has_buckets():
    """A forgotten one would end at 10 s."""
    assert set(MADE.histograms) == set(BUCKETS)
    assert len(views()) == len(BUCKETS)


@pytest.mark.parametrize("name", [*MADE.counters, *MADE.histograms, *MADE.gauges])
def test_the_docs_name_each_metric(name):
    assert f"`{name}`" in PAGE.read_text(encoding="utf-8")


def test_a_name_stands_for_one_thing():
    spelled = [value for key, value in vars(names).items() if key.isupper() and not key.startswith("LABEL_")]
    assert len(spelled) == len(set(spelled))
