"""Test that each invalid OpenTelemetry variable is one line that names it."""

import os

import pytest

from service.domain.errors import SettingsError
from service.telemetry.otel_check import check

GOOD = {
    "OTEL_BSP_MAX_QUEUE_SIZE": "2",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1",
    "OTEL_BSP_SCHEDULE_DELAY": "20",
    "OTEL_METRIC_EXPORT_INTERVAL": "0.5",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://[::1]:4318/prefix",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "collector:4317",
    "OTEL_EXPORTER_OTLP_TIMEOUT": "10",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
    "OTEL_TRACES_SAMPLER_ARG": "0.25",
    "OTEL_PROPAGATORS": "tracecontext, baggage",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "0",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "64",
    "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test,team=a=b,",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process",
    "OTEL_SERVICE_NAME": "anything at all",
}


def test_values_that_the_sdk_accepts_pass():
    check(dict(GOOD))
    check({})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-5"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "99999999999999999999"),
        ("OTEL_BSP_SCHEDULE_DELAY", "x"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
        ("OTEL_BSP_EXPORT_TIMEOUT", "1.5"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "\u0663"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "nan"),
        ("OTEL_METRIC_EXPORT_TIMEOUT", "-1"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://collector"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://"),
        ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://h:99999"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "inf"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/dev/zero"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_METRICS_EXEMPLAR_FILTER", "yes"),
        ("OTEL_PROPAGATORS", "tracecontext,smoke"),
        ("OTEL_PYTHON_CONTEXT", "smoke"),
        ("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "process,smoke"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,smoke"),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-1"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "many"),
        ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "-1"),
    ],
)
def test_an_invalid_variable_is_one_line_with_its_name(name, text):
    with pytest.raises(SettingsError) as caught:
        check({name: text})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name} ")
    assert "\n" not in problem


def test_all_invalid_variables_are_reported_together():
    with pytest.raises(SettingsError) as caught:
        check({"OTEL_BSP_SCHEDULE_DELAY": "x", "OTEL_PROPAGATORS": "x", "OTEL_METRIC_EXPORT_TIMEOUT": "x"})
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    "environ", [{"OTEL_BSP_MAX_QUEUE_SIZE": "100"}, {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4096"}]
)
def test_a_batch_larger_than_the_queue_is_refused(environ):
    with pytest.raises(SettingsError, match=r"OTEL_BSP_MAX_EXPORT_BATCH_SIZE .* must be at most"):
        check(environ)


def test_an_empty_variable_counts_as_not_set():
    environ = {"OTEL_BSP_SCHEDULE_DELAY": "", "OTEL_TRACES_SAMPLER_ARG": " ", "PATH": ""}
    check(environ)
    assert environ == {"PATH": ""}


def test_with_the_sdk_disabled_only_plugins_are_checked():
    check({"OTEL_SDK_DISABLED": "true", "OTEL_BSP_SCHEDULE_DELAY": "x"})
    with pytest.raises(SettingsError, match="OTEL_PROPAGATORS"):
        check({"OTEL_SDK_DISABLED": "true", "OTEL_PROPAGATORS": "x"})


def test_the_environment_of_a_process_can_be_checked(monkeypatch):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "")
    check(os.environ)
    assert "OTEL_BSP_SCHEDULE_DELAY" not in os.environ
