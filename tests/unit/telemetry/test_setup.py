import urllib.request

import pytest
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from service.domain.errors import SettingsError
from service.telemetry import setup
from service.telemetry.bounds import CONTENT_CHARACTERS
from service.telemetry.light_spans import LightTracer
from service.telemetry.setup import DELAY, EXPORT_DELAY_MS, Providers, span_limits
from tests.parts import telemetry_settings


def test_nothing_is_exported_unless_asked_for():
    providers = Providers(telemetry_settings(), {})
    try:
        assert providers.telemetry.tracer is None
        assert providers.metrics_address == ""
    finally:
        providers.close()


@pytest.mark.parametrize(
    ("environ", "light"),
    [({}, True), ({"OTEL_SPAN_EVENT_COUNT_LIMIT": ""}, True), ({"OTEL_ATTRIBUTE_COUNT_LIMIT": "9"}, False)],
)
def test_a_limit_of_the_environment_takes_spans_that_honour_it(environ, light):
    providers = Providers(telemetry_settings(), environ | {"OTEL_TRACES_EXPORTER": "console"})
    try:
        assert isinstance(providers.telemetry.tracer, LightTracer) is light
    finally:
        providers.close()


@pytest.mark.parametrize(
    ("environ", "delay_ms"), [({}, EXPORT_DELAY_MS), ({DELAY: ""}, EXPORT_DELAY_MS), ({DELAY: "7000"}, None)]
)
def test_spans_are_exported_often_unless_the_environment_says_how(environ, delay_ms, monkeypatch):
    """None: the SDK reads it from the environment."""
    given = []

    class Recorder(BatchSpanProcessor):
        def __init__(self, exporter: SpanExporter, schedule_delay_millis: float | None) -> None:
            given.append(schedule_delay_millis)
            super().__init__(exporter)

    monkeypatch.setattr(setup, "BatchSpanProcessor", Recorder)
    Providers(telemetry_settings(), environ | {"OTEL_TRACES_EXPORTER": "console"}).close()
    assert given == [delay_ms]


def test_prometheus_reads_at_the_address_of_the_setting():
    providers = Providers(telemetry_settings(metrics_listen="127.0.0.1:0", replica="r1"), {})
    try:
        providers.telemetry.instruments.turns.add(1, {"ending": "OK"})
        with urllib.request.urlopen(f"http://{providers.metrics_address}/metrics", timeout=30) as response:
            page = response.read().decode()
    finally:
        providers.close()
    assert "trunkline_turns" in page
    assert 'service_instance_id="r1"' in page


def test_an_address_that_is_taken_is_named():
    providers = Providers(telemetry_settings(metrics_listen="127.0.0.1:0"), {})
    try:
        with pytest.raises(SettingsError, match="TRUNKLINE_METRICS_LISTEN"):
            Providers(telemetry_settings(metrics_listen=providers.metrics_address), {})
    finally:
        providers.close()


def test_an_unknown_exporter_is_named():
    with pytest.raises(SettingsError, match="OTEL_TRACES_EXPORTER"):
        Providers(telemetry_settings(), {"OTEL_TRACES_EXPORTER": "pigeon"})


@pytest.mark.parametrize(
    ("environ", "of_events", "of_spans"),
    [
        ({}, CONTENT_CHARACTERS, CONTENT_CHARACTERS),
        ({"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "3"}, 3, 3),
        ({"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "0"}, CONTENT_CHARACTERS, 0),
        ({"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "99999999"}, CONTENT_CHARACTERS, CONTENT_CHARACTERS),
    ],
)
def test_the_environment_can_only_lower_the_lengths_of_texts(monkeypatch, environ, of_events, of_spans):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    limits = span_limits()
    assert (limits.max_attribute_length, limits.max_span_attribute_length) == (of_events, of_spans)


def test_the_other_limits_of_spans_are_those_of_the_environment(monkeypatch):
    monkeypatch.setenv("OTEL_SPAN_EVENT_COUNT_LIMIT", "7")
    assert span_limits().max_events == 7
