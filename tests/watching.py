"""What the service shows of itself, kept in memory: spans and measurements of one test.

A test asks for a span by its name, or for a measurement by its name and labels.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from service.domain.report import NOBODY, Peer
from service.telemetry.gauges import Gauges
from service.telemetry.instruments import Instruments, views
from service.telemetry.light_spans import LightTracer
from service.telemetry.otel_env import Capture
from service.telemetry.setup import span_limits
from service.telemetry.telemetry import SCOPE, Telemetry

PATIENCE_S = 30.0


async def until(predicate: Callable[[], object]) -> None:
    """Waits for what tells nobody that it has come."""
    async with asyncio.timeout(PATIENCE_S):
        while not predicate():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


class Seen:
    """Everything that was shown so far. `telemetry` is what a service records with."""

    def __init__(self, capture: Capture, upstream: Peer, sampler: Sampler) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider(sampler, shutdown_on_exit=False, span_limits=span_limits())
        processor = SimpleSpanProcessor(self._spans)
        self.tracers.add_span_processor(processor)
        self.meters = MeterProvider([self._reader], shutdown_on_exit=False, views=views())
        meter = self.meters.get_meter(SCOPE)
        tracer = LightTracer(self.tracers, processor, SCOPE)
        self.telemetry = Telemetry(tracer, Instruments(meter), Gauges(meter), capture, upstream)

    @property
    def spans(self) -> list[Any]:
        """`ReadableSpan`s, in the order in which they began."""
        return sorted(self._spans.get_finished_spans(), key=lambda span: span.start_time or 0)

    def forget(self) -> None:
        """Forget the spans that were shown so far."""
        self._spans.clear()

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> Any:
        found = self.named(name)
        assert len(found) == 1, [span.name for span in self.spans]
        return found[0]

    async def until(self, predicate: Callable[[], object]) -> None:
        """Spans of a call end when its task does, which its caller does not wait for."""
        await until(predicate)

    def points(self, name: str) -> dict[tuple[tuple[str, Any], ...], Any]:
        """The measurements of this name: labels, sorted, → value, or the count of a histogram."""
        data = self._reader.get_metrics_data()
        found = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points if metric.name == name else ():
                        value = getattr(point, "value", None)
                        labels = tuple(sorted((point.attributes or {}).items()))
                        found[labels] = point.count if value is None else value  # type: ignore[union-attr]
        return found

    def count(self, name: str, **labels: Any) -> Any:
        """The sum over all measurements of this name with these labels, dots written as two underscores."""
        wanted = {label.replace("__", "."): value for label, value in labels.items()}
        return sum(
            value for found, value in self.points(name).items() if wanted.items() <= dict(found).items()
        )


@contextmanager
def watching(
    *,
    capture: Capture = Capture.NO_CONTENT,
    upstream: Peer = NOBODY,
    sampler: Sampler = ALWAYS_ON,
) -> Iterator[Seen]:
    """What is recorded with `telemetry` of the yielded `Seen` is seen there."""
    seen = Seen(capture, upstream, sampler)
    try:
        yield seen
    finally:
        seen.tracers.shutdown()
        seen.meters.shutdown()
