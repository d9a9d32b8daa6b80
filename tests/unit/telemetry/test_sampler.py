import asyncio
from contextlib import suppress

from service.telemetry import names
from service.telemetry.gauges import Counts
from service.telemetry.sampler import run
from tests.watching import watching

PATIENCE_S = 30.0


async def test_the_counts_are_taken_each_period_until_cancelled():
    taken = asyncio.Event()
    numbers = iter(range(1, 1_000_000))

    def counts() -> Counts:
        number = next(numbers)
        if number == 3:
            taken.set()
        return Counts(turns=number)

    with watching() as seen:
        task = asyncio.create_task(run(seen.telemetry, counts, 0.001))
        await asyncio.wait_for(taken.wait(), PATIENCE_S)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert seen.count(names.TURNS_RUNNING) >= 3
    assert task.cancelled()
