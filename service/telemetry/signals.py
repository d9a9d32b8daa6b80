"""Where spans and measurements go at this moment: one tracer, one set of instruments.

Owns the one value that the set-up replaces; until then everything is dropped at once. Must never know where
things go from here. It is no argument of the rooms, because what watches them must not shape them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from opentelemetry.metrics import Meter, NoOpMeter

from service.telemetry.gauges import Gauges
from service.telemetry.instruments import BoundedLabel, Instruments
from service.telemetry.otel_env import Capture
from service.telemetry.spans import Tracer

SCOPE = "trunkline"
NOOP_METER = NoOpMeter(SCOPE)


@dataclass(slots=True)
class Signals:
    """`tracer`: None where nobody receives spans. `upstream`: host and port, as attributes show them."""

    tracer: Tracer | None = None
    instruments: Instruments = field(default_factory=lambda: Instruments(NOOP_METER))
    gauges: Gauges = field(default_factory=lambda: Gauges(NOOP_METER))
    capture: Capture = Capture.NO_CONTENT
    upstream: tuple[str, int] = ("", 0)
    model: BoundedLabel = field(default_factory=BoundedLabel)
    tenant: BoundedLabel = field(default_factory=BoundedLabel)


_now = Signals()


def signals() -> Signals:
    return _now


def install(
    tracer: Tracer | None = None,
    meter: Meter = NOOP_METER,
    *,
    capture: Capture = Capture.NO_CONTENT,
    upstream: tuple[str, int] = ("", 0),
) -> None:
    """From now on: to these. Without arguments: nowhere."""
    global _now  # noqa: PLW0603  this module exists to hold it
    _now = Signals(tracer, Instruments(meter), Gauges(meter), capture, upstream)
