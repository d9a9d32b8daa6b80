import pytest

from service.telemetry.otel_env import Capture, Exporter, Protocol, Signal, SwitchError, Switches, read

OTLP = Signal(Exporter.OTLP, Protocol.HTTP)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, Switches()),
        ({"OTEL_SDK_DISABLED": " True ", "OTEL_TRACES_EXPORTER": "otlp"}, Switches(disabled=True)),
        ({"OTEL_SDK_DISABLED": "false"}, Switches()),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, Switches(traces=OTLP, metrics=OTLP)),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, Switches()),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c"}, Switches(traces=OTLP)),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, Switches(traces=OTLP)),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_METRICS_EXPORTER": "none"},
            Switches(traces=OTLP),
        ),
        ({"OTEL_METRICS_EXPORTER": "console"}, Switches(metrics=Signal(Exporter.CONSOLE))),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "http://c",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
                "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf",
            },
            Switches(traces=Signal(Exporter.OTLP, Protocol.GRPC), metrics=OTLP),
        ),
    ],
)
def test_what_is_set_up(environ, expected):
    assert read(environ) == Switches(
        expected.disabled,
        Signal(expected.traces.exporter, expected.traces.protocol),
        Signal(expected.metrics.exporter, expected.metrics.protocol),
    )


@pytest.mark.parametrize(
    ("given", "shown", "on_span", "as_event"),
    [
        ("", False, False, False),
        ("NO_CONTENT", False, False, False),
        ("SPAN_ONLY", True, True, False),
        ("EVENT_ONLY", True, False, True),
        ("span_and_event", True, True, True),
    ],
)
def test_where_content_is_shown(given, shown, on_span, as_event):
    capture = read({"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": given}).capture
    assert (capture.enabled, capture.on_span, capture.as_event) == (shown, on_span, as_event)
    assert capture in Capture


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "yes"),
    ],
)
def test_an_unknown_value_is_reported(name, value):
    with pytest.raises(SwitchError, match=f"{name} must be one of "):
        read({name: value})
