"""Plot the result of `make bench`: `bench/.plots/bin/python bench/plots.py bench/results/bench.json`.

Writes three PNGs beside the result. This is the only file that needs matplotlib, which has its own
environment.
"""

import json
import sys
from pathlib import Path
from statistics import median

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

NAMES = (
    "service",
    "service, all off",
    "grpc.aio floor",
    "C relay",
    "LiteLLM",
    "direct WebSocket",
    "direct SSE",
)
PACED = {1: "1 x 50/s", 50: "50 x 50/s", 200: "200 x 50/s", 1000: "1000 x 50/s"}


def points(loads: dict, name: str, key: str) -> tuple[list[int], list[float]]:
    values_at = {
        streams: median(values)
        for streams, load in PACED.items()
        if (values := [f[key] for f in loads.get(load, {}).get(name, []) if f.get(key, -1) > 0])
    }
    return list(values_at), list(values_at.values())


def by_streams(result: dict, key: str, title: str, file: Path) -> None:
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for name in NAMES:
        streams, values = points(result["loads"], name, key)
        if values:
            axes.plot(streams, values, marker="o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="streams at 50 deltas a second", title=title)
    axes.set_xticks(list(PACED), labels=list(PACED))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.savefig(file, dpi=110, bbox_inches="tight")


def idle(result: dict, file: Path) -> None:
    figure, axes = plt.subplots(figsize=(8, 4.5))
    for tls, name in ((False, "plain"), (True, "TLS")):
        rows = [row for row in result["idle"] if row.get("tls") is tls]
        axes.plot(
            [row["sessions"] for row in rows], [row["kib"] / 1024 for row in rows], marker="o", label=name
        )
    axes.set(xlabel="idle sessions", title="Memory of the service, MiB", ylim=(0, None))
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=110, bbox_inches="tight")


def main() -> None:
    source = Path(sys.argv[1])
    result = json.loads(source.read_text())
    by_streams(result, "cpu_us", "CPU per delta, µs", source.with_name(f"{source.stem}-cpu.png"))
    by_streams(result, "ttft_p99_ms", "TTFT p99, ms", source.with_name(f"{source.stem}-ttft.png"))
    idle(result, source.with_name(f"{source.stem}-idle.png"))


if __name__ == "__main__":
    main()
