"""Counters that are summed before they are exported."""

import threading
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Sum

from service.telemetry.totals import Total


def sums(reader: InMemoryMetricReader) -> dict[tuple[tuple[str, Any], ...], Any]:
    data = reader.get_metrics_data()
    points: list[Any] = [
        point
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    ]
    return {tuple(sorted((point.attributes or {}).items())): point.value for point in points}


def test_amounts_are_summed_by_labels_in_any_order():
    reader = InMemoryMetricReader()
    total = Total(MeterProvider([reader], shutdown_on_exit=False).get_meter("m"), "t", "{turn}", "Turns.")
    assert sums(reader) == {}
    total.add(1, {"a": "x", "b": "y"})
    total.add(2, {"b": "y", "a": "x"})
    total.add(5, {"a": "x"})
    total.add(7)
    assert sums(reader) == {(("a", "x"), ("b", "y")): 3, (("a", "x"),): 5, (): 7}
    total.add(1)
    assert sums(reader)[()] == 8


def test_it_is_exported_as_a_monotonic_sum():
    reader = InMemoryMetricReader()
    total = Total(MeterProvider([reader], shutdown_on_exit=False).get_meter("m"), "t", "By", "Bytes.")
    total.add(3)
    data = reader.get_metrics_data()
    assert data is not None
    (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
    assert (metric.name, metric.unit, metric.description) == ("t", "By", "Bytes.")
    assert isinstance(metric.data, Sum)
    assert metric.data.is_monotonic


def test_a_reader_never_disturbs_the_one_who_adds():
    reader = InMemoryMetricReader()
    total = Total(MeterProvider([reader], shutdown_on_exit=False).get_meter("m"), "t", "By", "Bytes.")
    stop = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not stop.is_set():
                sums(reader)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(20_000):
        total.add(1, {"n": number % 500})
    stop.set()
    thread.join()
    assert failures == []
    assert sum(sums(reader).values()) == 20_000
