"""The figures of a soak, and whether they are good."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import median

GROWTH_BYTES = 8 * 2**20
GROWTH_SHARE = 0.10
"""How much more memory than after the warm-up is allowed: the larger of the two."""

CANCEL_S = 0.1
"""Limit of the median time from a caller's cancellation until the upstream notices it."""


@dataclass
class Figures:
    """Counts and measurements of a run, and the problems found."""

    turns: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    attempts: Counter[int] = field(default_factory=Counter)
    cancel_s: list[float] = field(default_factory=list)
    census: dict[str, dict[str, int]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def report(self) -> str:
        """Return the figures as text."""
        latency = sorted(self.cancel_s)
        lines = [f"turns      {self.turns}"]
        lines += [f"  {name:<24}{number:>7}" for name, number in self.endings.most_common()]
        lines += [f"attempts   {', '.join(f'{n}: {self.attempts[n]}' for n in sorted(self.attempts))}"]
        if latency:
            middle, late = median(latency) * 1e3, latency[int(len(latency) * 0.99)] * 1e3
            lines += [f"cancel     median {middle:.1f} ms, p99 {late:.1f} ms, of {len(latency)}"]
        names = list(self.census)
        lines += [" " * 11 + "".join(f"{name:>10}" for name in names)]
        for key in next(iter(self.census.values()), {}):
            values = [self.census[name][key] for name in names]
            shown = [f"{value / 2**20:.1f} M" if key == "rss" else str(value) for value in values]
            lines += [f"{key:<11}" + "".join(f"{value:>10}" for value in shown)]
        lines += [f"PROBLEM    {problem}" for problem in self.problems] or ["no problems"]
        return "\n".join(lines) + "\n"

    def judge(self) -> None:
        """Add a problem for everything that is left at the end, or has grown."""
        start, end = self.census["start"], self.census["end"]
        warm = self.census.get("warm", end)
        for key in ("lines", "leases", "waiters", "places", "turns", "sessions"):
            if end[key]:
                self.problems.append(f"{key}: {end[key]} are left")
        for key in ("tasks", "files"):
            if end[key] > start[key]:
                self.problems.append(f"{key}: {start[key]} at the start, {end[key]} in the end")
        if end["rss"] > warm["rss"] + max(GROWTH_BYTES, warm["rss"] * GROWTH_SHARE):
            self.problems.append("rss: it has grown since the warm-up")
        if self.cancel_s and median(self.cancel_s) > CANCEL_S:
            self.problems.append(f"cancel: the median is above {CANCEL_S} s")
