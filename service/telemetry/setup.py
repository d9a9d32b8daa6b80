"""Start and close the telemetry of the process: providers, exporters and the Prometheus endpoint.

Telemetry must not delay a turn. A thread exports spans in batches and drops them when the OTel Collector does
not keep up. A Collector that is unreachable appears in the log and affects nothing else.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Mapping

import prometheus_client
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.environment_variables import OTEL_METRICS_EXEMPLAR_FILTER
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import (
    ConsoleMetricExporter,
    MetricExporter,
    MetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import Tracer
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from service.domain.errors import SettingsError
from service.telemetry import otel_env
from service.telemetry.bounds import CONTENT_CHARACTERS
from service.telemetry.gauges import Gauges
from service.telemetry.instruments import Instruments, views
from service.telemetry.light_spans import LightTracer
from service.telemetry.otel_env import Exporter, Protocol, Signal
from service.telemetry.scraping import Endpoint
from service.telemetry.settings import TelemetrySettings
from service.telemetry.telemetry import NOOP_METER, SCOPE, Telemetry

CLOSE_TIMEOUT_S = 3.0
"""How long closing waits for the last spans to be exported."""

DELAY = "OTEL_BSP_SCHEDULE_DELAY"
EXPORT_DELAY_MS = 200
"""How long spans are gathered, unless the environment says it.

The encoder is Python: while it runs, the event loop gets every other turn of the interpreter. The SDK's 5 s
gather a thousand spans at 80 turns a second, whose encoding holds back the first words of turns that begin
meanwhile. Measured in docs/decisions/0052-export-often.md.
"""

SERVICE_NAME = "trunkline"

LIMIT = re.compile(r"OTEL_\w+_LIMIT")
"""The limits of spans in the environment. The SDK's own spans honour them."""


class Providers:
    """The exporters and the Prometheus endpoint of a process. `telemetry` is what the layers record with."""

    def __init__(self, settings: TelemetrySettings, environ: Mapping[str, str] = os.environ) -> None:
        """Start. Raises SettingsError when a switch is invalid or the address is taken."""
        try:
            chosen = otel_env.read(environ)
        except otel_env.SwitchError as error:
            raise SettingsError(str(error)) from error
        resource = _resource(settings)
        self.metrics_address = ""
        self._scraped: _Scraped | None = None
        readers = _readers(chosen.metrics)
        if settings.metrics_listen and not chosen.disabled:
            self._scraped = _Scraped(settings.metrics_listen)
            self.metrics_address = self._scraped.address
            readers.append(self._scraped.reader)
        self._tracers, tracer = _tracing(chosen.traces, resource, environ)
        self._meters = _meters(readers, resource, environ) if readers else None
        meter = self._meters.get_meter(SCOPE) if self._meters else NOOP_METER
        self.telemetry = Telemetry(
            tracer,
            Instruments(meter),
            Gauges(meter),
            chosen.capture,
            caller_attributes=settings.caller_attributes,
        )

    def close(self) -> None:
        """Export what is left. Block for at most `CLOSE_TIMEOUT_S`."""
        if self._scraped is not None:
            self._scraped.close()
        # In threads: the exporter alone decides how long a provider takes to shut down.
        last = [
            threading.Thread(target=provider.shutdown, daemon=True)
            for provider in (self._tracers, self._meters)
            if provider is not None
        ]
        for thread in last:
            thread.start()
        due = time.monotonic() + CLOSE_TIMEOUT_S
        for thread in last:
            thread.join(max(due - time.monotonic(), 0.0))


class _Scraped:
    """The Prometheus endpoint and its metric reader."""

    def __init__(self, listen: str) -> None:
        registry = prometheus_client.CollectorRegistry()
        self.reader = PrometheusMetricReader(scope_info_enabled=False, registry=registry)
        ProcessCollector(registry=registry)
        GCCollector(registry)
        host, _, port = listen.rpartition(":")
        try:
            self._endpoint = Endpoint(host.strip("[]"), int(port), registry)
        except (OSError, UnicodeError) as error:  # UnicodeError: a host name that cannot be encoded
            problem = (
                f"TRUNKLINE_METRICS_LISTEN cannot be served: {listen} is taken or no address of this host"
            )
            raise SettingsError(problem) from error
        self.address = f"{host}:{self._endpoint.port}"

    def close(self) -> None:
        self._endpoint.close()


def _resource(settings: TelemetrySettings) -> Resource:
    """Return the resource. Attributes from the environment override those of the service."""
    given = OTELResourceDetector().detect().attributes
    ours = {"service.name": SERVICE_NAME, "service.instance.id": settings.replica}
    return Resource.create({name: value for name, value in ours.items() if name not in given})


def _tracing(
    signal: Signal, resource: Resource, environ: Mapping[str, str]
) -> tuple[TracerProvider | None, Tracer | None]:
    exporter: SpanExporter
    match signal.exporter, signal.protocol:
        case Exporter.NONE, _:
            return None, None
        case Exporter.CONSOLE, _:
            exporter = ConsoleSpanExporter()
        case _, Protocol.GRPC:
            exporter = GrpcSpans()
        case _:
            exporter = HttpSpans()
    provider = TracerProvider(resource=resource, shutdown_on_exit=False, span_limits=span_limits())
    given = environ.get(DELAY)
    processor = BatchSpanProcessor(exporter, schedule_delay_millis=None if given else EXPORT_DELAY_MS)
    provider.add_span_processor(processor)
    limited = any(value and LIMIT.fullmatch(name) for name, value in environ.items())
    return provider, provider.get_tracer(SCOPE) if limited else LightTracer(provider, processor, SCOPE)


def span_limits() -> SpanLimits:
    """Return the SDK's limits by its environment variables; of them the lengths of texts are bounded.

    `attributes.bounded` bounds most texts to less; this is for those that hold content, and for what the
    environment asks for.
    """
    given = SpanLimits()
    lengths = (given.max_attribute_length, given.max_span_attribute_length)
    of_events, of_spans = (
        CONTENT_CHARACTERS if length is None else min(length, CONTENT_CHARACTERS) for length in lengths
    )
    return SpanLimits(max_attribute_length=of_events, max_span_attribute_length=of_spans)


def _meters(readers: list[MetricReader], resource: Resource, environ: Mapping[str, str]) -> MeterProvider:
    # Exemplars keep the span of each measurement, which costs time: they are off unless asked for.
    wanted = environ.get(OTEL_METRICS_EXEMPLAR_FILTER)
    exemplars = None if wanted else AlwaysOffExemplarFilter()
    return MeterProvider(readers, resource, exemplar_filter=exemplars, shutdown_on_exit=False, views=views())


def _readers(signal: Signal) -> list[MetricReader]:
    exporter: MetricExporter
    match signal.exporter, signal.protocol:
        case Exporter.NONE, _:
            return []
        case Exporter.CONSOLE, _:
            exporter = ConsoleMetricExporter()
        case _, Protocol.GRPC:
            exporter = GrpcMetrics()
        case _:
            exporter = HttpMetrics()
    return [PeriodicExportingMetricReader(exporter)]
