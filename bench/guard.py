"""`make bench-guard`: fail if a delta or a call costs more CPU than guard.json allows. Linux only.

Each number is a ratio: CPU time of the service with authentication, traces and metrics on, over that of the
bare grpc.aio server. The two are measured by turns in one run, so that a slow or busy machine slows both. The
limit is the recorded ratio times a margin above the noise. `--record` records the ratios of this run.

The ratio of a call depends on the machine: 4.2 to 4.6 on one, 5.8 to 6.5 on another, of the same code. The
bare server calls little code, and gains more from a large cache than the service. The higher one is recorded.
`bench.compare` with an old checkout distinguishes a slower service from another machine.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from bench.sides import CASES, Case, Sides

RECORD = Path(__file__).with_name("guard.json")
ROUNDS = 4
TRIES = 3
"""A busy machine can double the ratio of a run. A regression fails each of these tries."""


async def measure(cases: Sequence[Case]) -> dict[Case, list[float]]:
    """Return the ratio of each round."""
    async with Sides() as sides:
        await sides.service("service", telemetry=True)
        await sides.floor("floor")
        measured = await sides.measure(cases, ROUNDS)
    return {
        case: [
            one.cpu_us / other.cpu_us for one, other in zip(figures["service"], figures["floor"], strict=True)
        ]
        for case, figures in measured.items()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Fail if a delta or a call costs more CPU than recorded.")
    parser.add_argument(
        "--record", action="store_true", help="record the ratios of this run as the reference"
    )
    options = parser.parse_args()
    if not sys.platform.startswith("linux"):
        sys.stdout.write("bench-guard: skipped: reading the CPU time of another process needs Linux\n")
        return 0
    record = json.loads(RECORD.read_text())
    if options.record:
        for case, ratios in asyncio.run(measure(CASES)).items():
            record[case.name]["ratio"] = round(median(ratios), 2)
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
        sys.stdout.write(f"bench-guard: recorded {record}\n")
        return 0
    above: list[Case] = list(CASES)
    for _ in range(TRIES):
        measured = asyncio.run(measure(above))
        above = [
            case for case, ratios in measured.items() if not within_limit(case, ratios, **record[case.name])
        ]
        if not above:
            return 0
    return 1


def within_limit(case: Case, ratios: Sequence[float], *, ratio: float, margin: float) -> bool:
    """Report the median of the ratios, and return whether it is within the limit."""
    measured, limit = median(ratios), ratio * margin
    sys.stdout.write(
        f"bench-guard: CPU of a {case.name}, service over bare grpc.aio: {measured:.2f} x"
        f" ({min(ratios):.2f} to {max(ratios):.2f}); recorded {ratio:.2f} x, limit {limit:.2f} x:"
        f" {'ok' if measured <= limit else 'ABOVE THE LIMIT'}\n"
    )
    return measured <= limit


if __name__ == "__main__":
    sys.exit(main())
