from pathlib import Path

import pytest
from opentelemetry.metrics import NoOpMeter
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from service.telemetry import names
from service.telemetry.bounds import SHOWN_CHARACTERS
from service.telemetry.gauges import Gauges
from service.telemetry.instruments import BUCKETS, MAX_VALUES, BoundedLabel, Instruments, views
from service.telemetry.setup import _meters

PAGE = Path(__file__).parents[3] / "docs/observability.md"


class Meter(NoOpMeter):
    """A meter that records what is created."""

    def __init__(self):
        super().__init__("test")
        self.counters: list[str] = []
        self.histograms: list[str] = []
        self.gauges: list[str] = []

    def create_counter(self, name, *args, **kwargs):
        self.counters.append(name)
        return super().create_counter(name, *args, **kwargs)

    def create_observable_counter(self, name, *args, **kwargs):
        self.counters.append(name)
        return super().create_observable_counter(name, *args, **kwargs)

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
    bounded = BoundedLabel()
    for number in range(MAX_VALUES + 1):
        bounded.admit(f"model-{number}")
    assert bounded("model-0") == "model-0"
    assert bounded(f"model-{MAX_VALUES}") == "other"


def test_a_value_that_was_never_admitted_takes_no_entry():
    bounded = BoundedLabel()
    assert {bounded(f"invented-{number}") for number in range(MAX_VALUES * 2)} == {"other"}
    bounded.admit("real")
    assert bounded("real") == "real"


def test_a_long_label_value_is_truncated():
    bounded = BoundedLabel()
    bounded.admit("m" * 2**20)
    assert bounded("m" * 2**20) == "m" * (SHOWN_CHARACTERS - 1) + "…"


def test_buckets_of_seconds_reach_ten_minutes():
    """All but those of the loop's lag, which is never that long."""
    times = {name: bounds for name, bounds in BUCKETS.items() if name.endswith(("duration", "wait", "chunk"))}
    assert {max(bounds) for bounds in times.values()} == {600.0}
    assert all(list(bounds) == sorted(set(bounds)) for bounds in BUCKETS.values())


def test_there_are_counters_to_look_at():
    assert names.TURNS in MADE.counters


def test_each_histogram_has_buckets():
    """A histogram without buckets would end at 10 s."""
    assert set(MADE.histograms) == set(BUCKETS)
    assert len(views()) == len(BUCKETS)


@pytest.mark.parametrize("name", [*MADE.counters, *MADE.histograms, *MADE.gauges])
def test_the_docs_name_each_metric(name):
    assert f"`{name}`" in PAGE.read_text(encoding="utf-8")


def test_a_name_stands_for_one_thing():
    spelled = [value for key, value in vars(names).items() if key.isupper() and not key.startswith("LABEL_")]
    assert len(spelled) == len(set(spelled))


@pytest.mark.parametrize(("environ", "shown"), [({}, 0), ({"OTEL_METRICS_EXEMPLAR_FILTER": "always_on"}, 1)])
def test_exemplars_are_off_unless_asked_for(monkeypatch, environ, shown):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    reader = InMemoryMetricReader()
    histogram = _meters([reader], Resource.create({}), environ).get_meter("test").create_histogram("waits")
    with TracerProvider(shutdown_on_exit=False).get_tracer("test").start_as_current_span("turn"):
        histogram.record(1.0)
    assert [len(point.exemplars) for point in points_of(reader)] == [shown]


def points_of(reader):
    data = reader.get_metrics_data()
    return data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
