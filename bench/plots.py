"""Plot the result of `make bench`: `bench/.plots/bin/python -m bench.plots bench/results/bench.json`.

Plots the `histories.json` beside it, too. Writes PNGs to the same folder, for screens of twice the density.
This is the only file that needs matplotlib, which has its own environment.
"""

import json
import sys
from math import isnan
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from bench.captions import (
    PACED,
    Result,
    by_size,
    cpu_caption,
    histories_caption,
    idle_caption,
    points,
    ttft_caption,
)

COLOURS = {
    "service": "#ab4e17",
    "service, all off": "#e0a37f",
    "LiteLLM": "#3f658a",
    "grpc.aio floor": "#8a8378",
    "grpc.aio relay": "#6b4f6f",
    "C relay": "#b5aea2",
    "direct WebSocket": "#5f7f5a",
    "direct SSE": "#a8bda4",
}
INK, QUIET = "#1f1d1a", "#6a655c"
SIZE_IN, DPI = (8.0, 4.5), 220
SIZES = ("#e0a37f", "#d08a5c", "#bf6e38", "#ab4e17", "#6e300c")
MILLISECONDS = (5, 10, 20, 50, 100)
LABEL_APART = 0.05
"""Of the height of the plot: labels at the ends of lines would otherwise overlap."""

STYLE = {
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": "#c9c2b6",
    "axes.labelcolor": QUIET,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "grid.color": "#e3ded4",
}


def by_streams(result: Result, key: str, caption: str, unit: str, file: Path) -> None:
    _, axes = plt.subplots(figsize=SIZE_IN)
    ends = {}
    for name, colour in COLOURS.items():
        values = points(result, name, key)
        if all(map(isnan, values)):
            continue
        ours = name == "service"
        axes.plot(
            list(PACED),
            values,
            "o-",
            color=colour,
            linewidth=2.5 if ours else 1.5,
            markersize=5,
            zorder=3 if ours else 2,
        )
        ends[name] = values[-1]
    axes.set(xscale="log", yscale="log", xlabel="streams, each with 50 deltas a second (logarithmic)")
    axes.set_xticks(list(PACED), labels=[f"{streams:,}" for streams in PACED])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    label_ends(axes, ends)
    save(axes, caption, f"{unit}, logarithmic; less is better", file)


def label_ends(axes: Axes, ends: dict[str, float]) -> None:
    """The name of each line at its end, from the lowest up, apart from each other."""
    free = 0.0
    for name, value in sorted(
        (item for item in ends.items() if not isnan(item[1])), key=lambda item: item[1]
    ):
        height = axes.transAxes.inverted().transform(axes.transData.transform((1, value)))[1]
        free = max(float(height), free)
        axes.text(
            1.01, free, name, color=COLOURS[name], va="center", transform=axes.transAxes,
            fontweight="bold" if name == "service" else "normal",
        )  # fmt: skip
        free += LABEL_APART


def idle(result: Result, file: Path) -> None:
    _, axes = plt.subplots(figsize=SIZE_IN)
    for tls, name, colour in ((False, "plain text", COLOURS["service"]), (True, "TLS", COLOURS["LiteLLM"])):
        rows = [row for row in result["idle"] if row.get("tls") is tls]
        if not rows:
            continue
        mebibytes = [row["kib"] / 1024 for row in rows]
        axes.plot([row["sessions"] for row in rows], mebibytes, "o-", color=colour, linewidth=2.5)
        axes.annotate(
            name,
            (rows[-1]["sessions"], mebibytes[-1]),
            (8, 0),
            textcoords="offset points",
            color=colour,
            va="center",
        )
    axes.set(xlabel="idle sessions, each with an open WebSocket", xlim=(0, None), ylim=(0, None))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    save(axes, idle_caption(result), "memory of the service, MiB", file)


def histories(rows: list[Result], file: Path) -> None:
    _, axes = plt.subplots(figsize=SIZE_IN)
    sizes = by_size(rows)
    lengths = sorted({messages for points in sizes.values() for messages, _ in points})
    for number, (size, found) in enumerate(sorted(sizes.items())):
        axes.plot(*zip(*found, strict=True), "o-", color=SIZES[number], linewidth=2)
        name = f"{size / 1e6:g} MB" if size >= 1e6 else f"{size / 1000:g} kB"
        axes.annotate(name, found[-1], (8, 0), textcoords="offset points", color=SIZES[number], va="center")
    axes.set(xscale="log", yscale="log", xlabel="messages of the history (logarithmic)")
    axes.set_xticks(lengths, labels=[f"{messages:,}" for messages in lengths])
    axes.set_yticks(MILLISECONDS, labels=[f"{each}" for each in MILLISECONDS])
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    save(axes, histories_caption(rows), "CPU of a turn, ms, by the size of its history, logarithmic", file)


def save(axes: Axes, caption: str, unit: str, file: Path) -> None:
    axes.grid()
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0)
    axes.set_title(unit, loc="left", fontsize=10, color=QUIET, pad=8)
    axes.annotate(
        caption,
        (0, 1),
        (0, 28),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=13,
        fontweight="bold",
    )
    axes.figure.savefig(file, dpi=DPI, bbox_inches="tight", pad_inches=0.15)


def main() -> None:
    source = Path(sys.argv[1])
    result = json.loads(source.read_text())

    def named(what: str) -> Path:
        return source.with_name(f"{source.stem}-{what}.png")

    with plt.rc_context(STYLE):
        by_streams(result, "cpu_us", cpu_caption(result), "CPU per delta, µs", named("cpu"))
        by_streams(
            result, "ttft_p99_ms", ttft_caption(result), "first delta, 99th percentile, ms", named("ttft")
        )
        idle(result, named("idle"))
        rows = source.with_name("histories.json")
        if rows.exists():
            histories(json.loads(rows.read_text()), rows.with_suffix(".png"))


if __name__ == "__main__":
    main()
