"""Read the standard switches (`OTEL_*`) that decide which signals are exported, and how.

An exporter reads the rest (endpoint, headers, timeout, sampler, batch sizes, resource) itself, under the
names that OpenTelemetry gives them. An unknown value is an error, never a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

_Value = TypeVar("_Value", bound=Enum)

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


class Exporter(Enum):
    NONE = "none"
    OTLP = "otlp"
    CONSOLE = "console"


class Protocol(Enum):
    HTTP = "http/protobuf"
    GRPC = "grpc"


class Capture(Enum):
    """Where message content is exported."""

    NO_CONTENT = "no_content"
    SPAN_ONLY = "span_only"
    EVENT_ONLY = "event_only"
    SPAN_AND_EVENT = "span_and_event"

    @property
    def enabled(self) -> bool:
        return self is not Capture.NO_CONTENT

    @property
    def on_span(self) -> bool:
        return self in (Capture.SPAN_ONLY, Capture.SPAN_AND_EVENT)

    @property
    def as_event(self) -> bool:
        return self in (Capture.EVENT_ONLY, Capture.SPAN_AND_EVENT)


class SwitchError(ValueError):
    """A switch has an unknown value."""


@dataclass(frozen=True, slots=True)
class Signal:
    exporter: Exporter = Exporter.NONE
    protocol: Protocol = Protocol.HTTP


@dataclass(frozen=True, slots=True)
class Switches:
    """The switches of a process. `disabled` overrides all others."""

    disabled: bool = False
    traces: Signal = Signal()
    metrics: Signal = Signal()
    capture: Capture = Capture.NO_CONTENT


def read(environ: Mapping[str, str]) -> Switches:
    """Read the switches. Raises SwitchError that names the invalid variable."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Switches(disabled=True)
    return Switches(
        traces=_signal(environ, "TRACES"),
        metrics=_signal(environ, "METRICS"),
        capture=_one_of(Capture, environ, CAPTURE) or Capture.NO_CONTENT,
    )


def _signal(environ: Mapping[str, str], kind: str) -> Signal:
    """Read one signal. Without an exporter named, it is exported if there is an endpoint to send it to."""
    exporter = _one_of(Exporter, environ, f"OTEL_{kind}_EXPORTER")
    if exporter is None:
        addresses = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{kind}_ENDPOINT")
        exporter = Exporter.OTLP if any(environ.get(name) for name in addresses) else Exporter.NONE
    protocol = _one_of(Protocol, environ, f"OTEL_EXPORTER_OTLP_{kind}_PROTOCOL") or _one_of(
        Protocol, environ, "OTEL_EXPORTER_OTLP_PROTOCOL"
    )
    return Signal(exporter, protocol or Protocol.HTTP)


def _one_of(kind: type[_Value], environ: Mapping[str, str], name: str) -> _Value | None:
    given = environ.get(name, "").strip().lower()
    if not given:
        return None
    try:
        return kind(given)
    except ValueError:
        values = ", ".join(str(value.value) for value in kind)
        raise SwitchError(f"{name} must be one of {values}") from None
