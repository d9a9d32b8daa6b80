"""Count what is exported as a total: `Total`.

The SDK's counter cleans, sorts and hashes the labels of each measurement. A turn adds eight times to counters
whose labels are few and typed already, and only their sums are ever exported. So they are summed here, in
the event loop, and the SDK reads the sums when it exports: an observable counter. Measured with
`python -m bench.publication` (docs/decisions/0043-totals.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.util.types import AttributeValue

Labels = Mapping[str, AttributeValue]

NONE: Labels = {}


class Total:
    """Sum amounts by their labels. Only the event loop adds; exporters read in threads of their own."""

    __slots__ = ("_sums",)

    def __init__(self, meter: Meter, name: str, unit: str, description: str) -> None:
        self._sums: dict[frozenset[tuple[str, AttributeValue]], int] = {}
        meter.create_observable_counter(name, [self._read], unit, description)

    def __repr__(self) -> str:
        return f"Total({len(self._sums)} sums)"

    def add(self, amount: int, labels: Labels = NONE) -> None:
        """Add an amount to the sum of these labels."""
        key = frozenset(labels.items())
        self._sums[key] = self._sums.get(key, 0) + amount

    def _read(self, _: CallbackOptions) -> Iterable[Observation]:
        # `list` copies the items in one step, so that no other thread can change them meanwhile.
        return [Observation(total, dict(labels)) for labels, total in list(self._sums.items())]
