"""Hold the current tracer, instruments and gauges.

Set-up replaces the one value; until then everything is dropped at once. It is global and not an argument,
because observing a layer must not change its signatures.
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
    """Where telemetry goes. `tracer`: None where no spans are exported. `upstream`: host and port."""

    tracer: Tracer | None = None
    instruments: Instruments = field(default_factory=lambda: Instruments(NOOP_METER))
    gauges: Gauges = field(default_factory=lambda: Gauges(NOOP_METER))
    capture: Capture = Capture.NO_CONTENT
    upstream: tuple[str, int] = ("", 0)
    model: BoundedLabel = field(default_factory=BoundedLabel)
    tenant: BoundedLabel = field(default_factory=BoundedLabel)


_now = Signals()


def signals() -> Signals:
    """Return where telemetry goes now. Not kept by callers: set-up may replace it."""
    return _now


def install(
    tracer: Tracer | None = None,
    meter: Meter = NOOP_METER,
    *,
    capture: Capture = Capture.NO_CONTENT,
    upstream: tuple[str, int] = ("", 0),
) -> None:
    """Replace tracer and meter. Without arguments, drop everything."""
    global _now  # noqa: PLW0603  this module exists to hold it
    _now = Signals(tracer, Instruments(meter), Gauges(meter), capture, upstream)
