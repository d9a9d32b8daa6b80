"""Sample the event loop's lag and the gauges twice a second.

The task is one of its own because only something that waits in the event loop can measure that the loop is
late, and because the counts must be taken in the loop. It keeps no reference to what it counts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from service.telemetry.gauges import Counts
from service.telemetry.telemetry import Telemetry

PERIOD_S = 0.5


async def run(telemetry: Telemetry, counts: Callable[[], Counts], period_s: float = PERIOD_S) -> None:
    """Store the counts and record the loop's lag once a period, until cancelled."""
    while True:
        telemetry.gauges.update(counts())
        due = time.perf_counter() + period_s
        await asyncio.sleep(period_s)
        telemetry.instruments.loop_lag.record(max(time.perf_counter() - due, 0.0))
