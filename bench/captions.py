"""What the plots of `bench.plots` show, and the sentence above each.

Both are read from results, so that a sentence stays true when the result is measured again.
"""

from collections.abc import Mapping, Sequence
from math import isnan, nan
from statistics import median
from typing import Any

Result = Mapping[str, Any]

PACED = {1: "1 x 50/s", 50: "50 x 50/s", 200: "200 x 50/s", 1000: "1000 x 50/s"}
COMPARED_AT = 50
"""Streams. With fewer the generator idles, with more LiteLLM starves them."""


def points(result: Result, name: str, key: str) -> list[float]:
    """The median of the rounds at each number of streams, and nan where nothing was measured."""
    values = []
    for load in PACED.values():
        found = [one[key] for one in result["loads"].get(load, {}).get(name, []) if one.get(key, -1) > 0]
        values.append(median(found) if found else nan)
    return values


def cpu_caption(result: Result) -> str:
    ours, theirs = (
        points(result, name, "cpu_us")[list(PACED).index(COMPARED_AT)] for name in ("service", "LiteLLM")
    )
    if isnan(ours) or isnan(theirs):
        return "What a delta costs in CPU"
    return f"At {COMPARED_AT} streams a delta costs LiteLLM {theirs / ours:.1f} times the CPU of the service"


def ttft_caption(result: Result) -> str:
    measured = {
        streams: value
        for streams, value in zip(PACED, points(result, "service", "ttft_p99_ms"), strict=True)
        if not isnan(value)
    }
    if not measured:
        return "How long the first delta takes"
    slowest = max(measured.values())
    return f"Up to {max(measured):,} streams, 99 of 100 first deltas come within {slowest:.0f} ms"


def idle_caption(result: Result) -> str:
    each = {row["tls"]: row["each_kib"] for row in result["idle"] if "each_kib" in row}
    if False not in each:
        return "What idle sessions take in memory"
    tls = f", over TLS {each[True]:.0f} KiB" if True in each else ""
    return f"An idle session takes {each[False]:.0f} KiB{tls}"


def by_size(rows: Sequence[Mapping[str, Any]]) -> dict[int, list[tuple[int, float]]]:
    """The warm turns of `bench.histories`: size in bytes → messages and CPU milliseconds."""
    found: dict[int, list[tuple[int, float]]] = {}
    for row in rows:
        if row["incremental"]:
            found.setdefault(row["bytes"], []).append((row["messages"], row["cpu_ms"]))
    return found


def histories_caption(rows: Sequence[Mapping[str, Any]]) -> str:
    sizes = by_size(rows)
    if not sizes:
        return "What a warm turn costs by its history"
    size = max(sizes)
    low, high = (pick(cpu for _, cpu in sizes[size]) for pick in (min, max))
    return f"A warm turn takes {low:.0f} to {high:.0f} ms of CPU after {size / 1e6:g} MB"
