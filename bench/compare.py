"""Compare two checkouts: `python -m bench.compare OLD_CHECKOUT`. Linux only; two minutes.

`git worktree add ../old COMMIT` makes such a checkout. Old and new run with this interpreter and its
packages: they differ in their code alone. Each runs with telemetry off and on. All four are measured by
turns, and a ratio is that of two figures of the same round. Without a checkout only telemetry is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median

from bench.replica import ROOT
from bench.sides import CASES, Case, Figures, Sides

OFF, ON = "telemetry off", "telemetry on"
Rounds = Mapping[str, Sequence[Figures]]
"""The rounds of each server, by its name."""


async def measure(
    checkouts: Mapping[str, Path], cases: Sequence[Case], rounds: int
) -> dict[Case, dict[str, list[Figures]]]:
    async with Sides() as sides:
        for age, checkout in checkouts.items():
            for telemetry in (OFF, ON):
                await sides.service(f"{age}, {telemetry}", checkout=checkout, telemetry=telemetry == ON)
        return await sides.measure(cases, rounds)


def report(case: Case, rounds: Rounds) -> Iterator[str]:
    yield f"{case.name + ':':<28}{'CPU µs of a ' + case.per:>26}{'ms to the first delta':>26}"
    for name, figures in rounds.items():
        yield _line(name, [[one.cpu_us for one in figures], [one.first_ms for one in figures]])
    for above, below in pairs(list(rounds)):
        both = list(zip(rounds[above], rounds[below], strict=True))
        cpu = [one.cpu_us / other.cpu_us for one, other in both]
        wall = [one.first_ms / other.first_ms for one, other in both]
        yield _line(f"{above} / {below}", [cpu, wall])


def pairs(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield which servers are compared: new over old, and telemetry on over off."""
    for name in names:
        age, _, telemetry = name.partition(", ")
        if age == "new" and f"old, {telemetry}" in names:
            yield name, f"old, {telemetry}"
        if telemetry == ON:
            yield name, f"{age}, {OFF}"


def _line(name: str, columns: Sequence[Sequence[float]]) -> str:
    return f"  {name:<46}" + "".join(f"{_spread(values):>26}" for values in columns)


def _spread(values: Sequence[float]) -> str:
    """Format the median, and the lowest and highest in brackets."""
    decimals = 0 if median(values) >= 100 else 1 if median(values) >= 10 else 2
    middle, low, high = (f"{value:,.{decimals}f}" for value in (median(values), min(values), max(values)))
    return f"{middle} ({low} to {high})"


def commit(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the cost of two checkouts, and that of telemetry.")
    parser.add_argument("old", nargs="?", type=Path, help="a checkout; without it only this one is measured")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--only", choices=[case.per for case in CASES], help="measure only this, in a minute")
    options = parser.parse_args()
    checkouts = ({"old": options.old.resolve()} if options.old else {}) | {"new": ROOT}
    cases = [case for case in CASES if options.only in (None, case.per)]
    measured = asyncio.run(measure(checkouts, cases, options.rounds))
    sys.stdout.write("\n".join(f"{age}: {commit(checkout)}" for age, checkout in checkouts.items()) + "\n")
    sys.stdout.write(f"medians of {options.rounds} rounds (lowest to highest)\n")
    for case, rounds in measured.items():
        sys.stdout.write("\n" + "\n".join(report(case, rounds)) + "\n")


if __name__ == "__main__":
    main()
