"""Export the current number of turns, sessions and connections as gauges.

Exporters read gauges in threads of their own. They read values that the event loop has stored here, never the
pool state itself, which the loop changes meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from opentelemetry.metrics import CallbackOptions, Meter, Observation

from service.telemetry import attributes, logs, names


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of one moment. `lines`: connections by the name of their upstream, which is empty where
    there is only one, and by state. `hold_s`: the delay of reads, in seconds.

    `kept`: turns with a key that run or can still be read. `left`: what tenants may still use, by tenant and
    limit.
    """

    turns: int = 0
    queued: int = 0
    sessions: int = 0
    lines: Mapping[tuple[str, str], int] = field(default_factory=dict)
    hold_s: float = 0.0
    kept: int = 0
    kept_bytes: int = 0
    left: Mapping[tuple[str, str], float] = field(default_factory=dict)


class Gauges:
    """The gauges, and the counts that they export."""

    def __init__(self, meter: Meter) -> None:
        self._counts = Counts()
        meter.create_observable_gauge(names.TURNS_RUNNING, [self._turns], "{turn}", "Turns under way.")
        meter.create_observable_gauge(
            names.TURNS_QUEUED, [self._queued], "{turn}", "Turns waiting for a place."
        )
        meter.create_observable_gauge(
            names.TURNS_KEPT, [self._kept], "{turn}", "Turns that calls can attach to."
        )
        meter.create_observable_gauge(names.TURNS_KEPT_BYTES, [self._kept_bytes], "By", "What they take.")
        meter.create_observable_gauge(names.SESSIONS, [self._sessions], "{session}", "Sessions remembered.")
        meter.create_observable_gauge(names.LINES, [self._lines], "{connection}", "Lines, by state.")
        meter.create_observable_gauge(
            names.LINE_HOLD,
            [self._hold],
            "s",
            "How long running answers wait for the next look, because the loop is busy.",
        )
        meter.create_observable_gauge(
            names.RATE_LIMIT_LEFT, [self._left], "1", "Requests and tokens that tenants may still use."
        )
        meter.create_observable_counter(
            names.LOG_LOST, [self._log_lost], "{line}", "Lines of the log that were lost."
        )

    @property
    def counts(self) -> Counts:
        return self._counts

    def update(self, counts: Counts) -> None:
        """Store the counts of this moment."""
        self._counts = counts

    def _turns(self, _: CallbackOptions) -> Iterable[Observation]:
        return (Observation(self._counts.turns),)

    def _queued(self, _: CallbackOptions) -> Iterable[Observation]:
        return (Observation(self._counts.queued),)

    def _kept(self, _: CallbackOptions) -> Iterable[Observation]:
        return (Observation(self._counts.kept),)

    def _kept_bytes(self, _: CallbackOptions) -> Iterable[Observation]:
        return (Observation(self._counts.kept_bytes),)

    def _sessions(self, _: CallbackOptions) -> Iterable[Observation]:
        return (Observation(self._counts.sessions),)

    def _hold(self, _: CallbackOptions) -> Iterable[Observation]:
        return (Observation(self._counts.hold_s),)

    def _log_lost(self, _: CallbackOptions) -> Iterable[Observation]:
        return (Observation(logs.lost()),)

    def _left(self, _: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(left, {names.LABEL_TENANT: tenant, names.LABEL_LIMIT: limit})
            for (tenant, limit), left in self._counts.left.items()
        ]

    def _lines(self, _: CallbackOptions) -> Iterable[Observation]:
        return [
            Observation(number, {names.LABEL_STATE: state} | attributes.upstream_label(upstream))
            for (upstream, state), number in self._counts.lines.items()
        ]
