"""The settings that telemetry needs: `TelemetrySettings`; OpenTelemetry's own are in `otel_env`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """What the spans and metrics say of this process, where Prometheus reads, and which metadata is shown."""

    metrics_listen: str
    replica: str
    caller_attributes: tuple[str, ...]
