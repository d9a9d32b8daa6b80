"""Print the result of `make bench`: the ratios and their goals, then the figures they are made of.

`python -m bench.report FILE` prints a stored result again.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

Result = dict[str, Any]
TALKERS = ("service", "direct SSE", "LiteLLM")
"""The contenders that can send a growing history."""


class Spread:
    """The median, minimum and maximum of some rounds."""

    def __init__(self, values: list[float]) -> None:
        self.middle, self.low, self.high = median(values), min(values), max(values)

    def text(self, unit: str = "") -> str:
        around = f" ({number(self.low)} to {number(self.high)})" if self.low != self.high else ""
        return f"{number(self.middle)}{unit}{around}"


def number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def text(result: Result) -> str:
    return (
        "\n".join(
            [*goals(result), "", *loads(result), *histories(result), "", *idle(result), "", *notes(result)]
        )
        + "\n"
    )


def figures(result: Result, load: str, name: str, key: str) -> list[float]:
    rounds = result["loads"].get(load, {}).get(name, [])
    return [figure[key] for figure in rounds if figure.get(key, -1) not in (-1, None)]


def side_by_side(result: Result, load: str, key: str, *names: str) -> list[tuple[float, float]]:
    """Return the pairs of one round: only values measured in the same round are compared."""
    sides = [result["loads"].get(load, {}).get(name, []) for name in names]
    pairs = [(one.get(key, -1), other.get(key, -1)) for one, other in zip(*sides, strict=False)]
    return [(one, other) for one, other in pairs if one != -1 and other not in (-1, 0)]


def ratio(result: Result, load: str, key: str, above: str, below: str) -> Spread | None:
    return of([one / other for one, other in side_by_side(result, load, key, above, below)])


def added(result: Result, load: str, key: str) -> Spread | None:
    return of([a - b for a, b in side_by_side(result, load, key, "service", "direct WebSocket")])


def of(values: list[float]) -> Spread | None:
    return Spread(values) if values else None


def goals(result: Result) -> Iterator[str]:
    yield "| ratio or goal | measured | goal | |"
    yield "|---|---|---|---|"
    for what, spread, unit, goal, bound in rows(result):
        if spread is None:
            yield f"| {what} | not measured | {goal} | |"
            continue
        verdict = "" if bound is None else "reached" if bound(spread.middle) else "**missed**"
        yield f"| {what} | {spread.text(unit)} | {goal} | {verdict} |"


Row = tuple[str, Spread | None, str, str, Callable[[float], bool] | None]
PACED, MANY, FULL, ONE = "50 x 50/s", "1000 x 50/s", "full speed", "one delta"
FLOOR, RELAY, OFF, LITE = "grpc.aio floor", "grpc.aio relay", "service, all off", "LiteLLM"


def rows(result: Result) -> Iterator[Row]:
    def cpu(what: str, load: str, above: str, below: str, goal: float = 0, *, least: bool = False) -> Row:
        measured = ratio(result, load, "cpu_us", above, below)
        return _row(f"CPU of a {what}, {above} over {below}", measured, " x", goal, least=least)

    delta, call = f"delta, {PACED}", "one-delta call"
    yield cpu(call, ONE, "service", FLOOR, 2)
    yield cpu(call, ONE, RELAY, FLOOR)
    yield cpu(call, ONE, "service", RELAY)
    yield cpu(call, ONE, "service", OFF, 1.2)
    yield cpu(call, ONE, LITE, "service", 20, least=True)
    yield cpu(delta, PACED, "service", FLOOR, 1.1)
    yield cpu(delta, PACED, RELAY, FLOOR)
    yield cpu(delta, PACED, "service", OFF)
    yield cpu(delta, PACED, "service", "C relay", 5)
    yield cpu(delta, PACED, LITE, "service", 4, least=True)
    yield cpu("delta, full speed", FULL, "service", FLOOR)
    yield _row(
        f"deltas per second of CPU, full speed, service over {LITE}",
        ratio(result, FULL, "per_core_s", "service", LITE),
        " x",
        20,
        least=True,
    )
    for percentile, goal in (("p50", 1.2), ("p99", 4)):
        what = f"TTFT added over direct WebSocket, {PACED}, {percentile}"
        yield _row(what, added(result, PACED, f"ttft_{percentile}_ms"), " ms", goal)
    within = [
        f["within_500ms"] / f["sent"] * 100
        for f in result["loads"].get(MANY, {}).get("service", [])
        if f["sent"]
    ]
    yield _row(f"{MANY}: deltas within 500 ms, of those sent", of(within), " %", 95, least=True)
    yield _row(f"{MANY}: TTFT p99", of(figures(result, MANY, "service", "ttft_p99_ms")), " ms", 250)
    starved = of(figures(result, MANY, "service", "starved"))
    yield f"{MANY}: streams that starved", starved, "", "0", at_most(0)
    cold = result["histories"].get("direct SSE", {}).get("200000", {}).get("later_bytes")
    warm = result["histories"].get("service", {}).get("200000", {}).get("later_bytes")
    saved = Spread([cold / warm]) if cold and warm else None
    yield _row("bytes upstream, 200 kB history, HTTP call over warm turn", saved, " x", 50, least=True)
    for tls in (False, True):
        rested = [row for row in result["idle"] if row.get("tls") is tls]
        each = Spread([rested[-1]["each_kib"]]) if rested else None
        count = rested[-1]["sessions"] if rested else 0
        where = " over TLS" if tls else ""
        yield _row(f"memory of an idle session, of {count:,}{where}", each, " KiB", 0 if tls else 20)


def _row(what: str, measured: Spread | None, unit: str, goal: float = 0, *, least: bool = False) -> Row:
    """Return a row whose goal is at most, or at least, this value; 0: it has none."""
    if not goal:
        return what, measured, unit, "", None
    text = f"{'>=' if least else '<='} {goal:g}{unit}"
    return what, measured, unit, text, at_least(goal) if least else at_most(goal)


def at_least(bound: float) -> Callable[[float], bool]:
    return lambda value: value >= bound


def at_most(bound: float) -> Callable[[float], bool]:
    return lambda value: value <= bound


COLUMNS = {
    "cpu_us": "CPU per delta, µs",
    "per_core_s": "deltas per CPU s",
    "deltas_per_s": "deltas/s",
    "ttft_p50_ms": "TTFT p50 ms",
    "ttft_p99_ms": "p99",
    "gap_p50_ms": "gap p50 ms",
    "gap_p99_ms": "p99",
    "starved": "starved",
}


def loads(result: Result) -> Iterator[str]:
    for load, sides in result["loads"].items():
        yield f"**{load}**"
        yield ""
        yield f"| | {' | '.join(COLUMNS.values())} | |"
        yield "|---" * (len(COLUMNS) + 2) + "|"
        for name, rounds in sides.items():
            cells = [cell(figures(result, load, name, key)) for key in COLUMNS]
            yield f"| {name} | {' | '.join(cells)} | {remark(rounds)} |"
        for name, why in result["missing"].items():
            yield f"| {name} | not measured: {why} |" + " |" * len(COLUMNS)
        yield ""


def cell(values: list[float]) -> str:
    return Spread(values).text() if values else "-"


def remark(rounds: list[dict[str, Any]]) -> str:
    bound = sum(bool(figure["behind"]) for figure in rounds)
    failed = next((figure["first_error"] for figure in rounds if figure["failed"]), "")
    parts = [f"generator behind in {bound} of {len(rounds)}"] if bound else []
    return "; ".join([*parts, *([f"failed calls: {failed[:60]}"] if failed else [])])


def histories(result: Result) -> Iterator[str]:
    yield "| history, bytes | | first turn: bytes upstream | later turn | first turn: TTFT ms | later turn |"
    yield "|---|---|---|---|---|---|"
    for name, sizes in result["histories"].items():
        for size, row in sizes.items():
            if "error" in row:
                yield f"| {size} | {name} | {row['error'][:80]} | | | |"
                continue
            keys = ("first_bytes", "later_bytes", "first_ttft_ms", "later_ttft_ms")
            yield f"| {int(size):,} | {name} | {' | '.join(number(row[key]) for key in keys)} |"


def idle(result: Result) -> Iterator[str]:
    yield "| idle sessions | upstream | memory of the service, MiB | each, KiB | CPU at rest |"
    yield "|---|---|---|---|---|"
    for row in result["idle"]:
        if "error" in row:
            yield f"| {row['sessions']:,} | failed: {row['error'][:80]} | | | |"
            continue
        where = "TLS" if row["tls"] else "plain"
        held = f"{row['kib'] / 1024:.0f} | {row['each_kib']:.1f} | {row['resting']:.1%}"
        yield f"| {row['sessions']:,} | {where} | {held} |"


def notes(result: Result) -> Iterator[str]:
    machine = result["machine"]
    yield f"{result['rounds']} round(s), median (lowest to highest); {result['minutes']:.0f} minutes."
    yield (
        f"{machine['cores']} cores ({machine['cpu']}), load average at the end {machine['load_average']:.1f};"
        f" Python {machine['python']}, grpcio {machine['grpcio']}, websockets {machine['websockets']}."
    )
    rounds = [figure for sides in result["loads"].values() for side in sides.values() for figure in side]
    yield from (
        f"Generator behind: {why}." for why in sorted({f["behind"] for f in rounds if f["behind"]})[:5]
    )


if __name__ == "__main__":
    sys.stdout.write(text(json.loads(Path(sys.argv[1]).read_text())))
