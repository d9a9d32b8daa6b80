"""Define the metric instruments, their units and their buckets.

A label must have few values. A value that a caller or the upstream can invent goes through `BoundedLabel`.
"""

from __future__ import annotations

from opentelemetry.metrics import Histogram, Meter
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View

from service.telemetry import names
from service.telemetry.bounds import truncate
from service.telemetry.totals import Total

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""A turn of a reasoning model takes minutes; the buckets of the conventions end at 10 s or 82 s."""

LAG_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
TOKEN_COUNTS = tuple(float(4**power) for power in range(14))

BUCKETS: dict[str, tuple[float, ...]] = {
    names.RPC_SERVER_CALL_DURATION: SECONDS,
    names.OPERATION_DURATION: SECONDS,
    names.OPERATION_FIRST_CHUNK: SECONDS,
    names.SERVER_FIRST_TOKEN: SECONDS,
    names.LINE_CHECKOUT: SECONDS,
    names.LINE_DIALS: SECONDS,
    names.TOKEN_USAGE: TOKEN_COUNTS,
    names.LOOP_LAG: LAG_SECONDS,
}

OTHER = "other"
MAX_VALUES = 50


def views() -> list[View]:
    """Return the views that give each histogram its buckets."""
    return [
        View(instrument_name=name, aggregation=ExplicitBucketHistogramAggregation(bounds))
        for name, bounds in BUCKETS.items()
    ]


class BoundedLabel:
    """Bound a label's values: the first `MAX_VALUES` admitted ones, truncated; any other is "other".

    A value that callers can invent is admitted only after the upstream has accepted it: an entry is never
    removed.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        value = truncate(value)
        return value if value in self._known else OTHER

    def admit(self, value: str) -> None:
        """Add the value if there is room."""
        if len(self._known) < MAX_VALUES:
            self._known.add(truncate(value))


class Instruments:
    """The instruments of events. Those of states are in `gauges`."""

    def __init__(self, meter: Meter) -> None:
        def seconds(name: str, description: str) -> Histogram:
            return meter.create_histogram(name, "s", description)

        def count(name: str, unit: str, description: str) -> Total:
            return Total(meter, name, unit, description)

        self.rpc_duration = seconds(names.RPC_SERVER_CALL_DURATION, "How long calls took.")
        self.operation_duration = seconds(names.OPERATION_DURATION, "How long attempts upstream took.")
        self.first_chunk = seconds(
            names.OPERATION_FIRST_CHUNK, "From a request upstream to its first content."
        )
        self.first_token = seconds(names.SERVER_FIRST_TOKEN, "From the start of a turn to its first content.")
        self.token_usage = meter.create_histogram(names.TOKEN_USAGE, "{token}", "Tokens of an attempt.")
        self.checkout = seconds(names.LINE_CHECKOUT, "How long turns waited for a line.")
        self.dials = seconds(names.LINE_DIALS, "How long dials took.")
        self.loop_lag = seconds(names.LOOP_LAG, "How late the event loop was.")
        self.turns = count(names.TURNS, "{turn}", "Turns, by ending and transport.")
        self.continuation = count(names.CONTINUATION, "{turn}", "Turns sent, by context and its reason.")
        self.bytes_sent = count(names.TURN_BYTES_SENT, "By", "Payload that went upstream.")
        self.bytes_saved = count(names.TURN_BYTES_SAVED, "By", "Payload that the upstream knew already.")
        self.tokens = count(names.TOKENS, "{token}", "Tokens, by tenant, model and type.")
        self.unreported = count(
            names.UNREPORTED,
            "{attempt}",
            "Requests sent of which the upstream reported no tokens, by ending.",
        )
        self.fallbacks = count(names.FALLBACKS, "{turn}", "Turns that went from WebSocket to SSE.")
        self.replays = count(names.REPLAYS, "{attempt}", "Requests that were sent again.")
        self.failovers = count(names.FAILOVERS, "{turn}", "Turns that went on to another upstream.")
        self.cancelled = count(names.CANCELLED, "{turn}", "Turns cut off before their end, by whom.")
        self.attached = count(
            names.TURNS_ATTACHED, "{call}", "Calls that attached to a turn, by its state before."
        )
        self.refused = count(names.REFUSED, "{turn}", "Turns refused, by the limit that they met.")
        self.closes = count(names.LINE_CLOSES, "{connection}", "Lines that ended, by reason.")
        self.ignored = count(
            names.UNKNOWN_EVENTS, "{event}", "Events of the upstream that meant nothing here."
        )
