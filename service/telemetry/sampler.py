"""Looking at the house twice a second: `run`.

Owns the one task that looks. It is a task of its own because nobody else can tell that the event loop is
late, and because the counts must be taken in the loop. Must never keep hold of what it counts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from service.telemetry.gauges import Counts
from service.telemetry.signals import signals

PERIOD_S = 0.5


async def run(counts: Callable[[], Counts], period_s: float = PERIOD_S) -> None:
    """Takes the counts each period, and how much longer than that the loop took. Until cancelled."""
    while True:
        signals().gauges.counts = counts()
        due = time.perf_counter() + period_s
        await asyncio.sleep(period_s)
        signals().instruments.loop_lag.record(max(time.perf_counter() - due, 0.0))
