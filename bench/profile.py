"""Profile the service under a load: `python -m bench.profile`.

Prints the share of samples of each part: from the innermost frame outwards, the first part that
matches a frame gets the sample. Threads that wait are left out. `--flame NAME` also writes a flame
graph to bench/results. Needs py-spy, which is installed with the plots.
"""

# ruff: noqa: S603  starts only programs of this benchmark

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from bench import contenders, run
from bench.contenders import BENCH, BUILD

PY_SPY = BENCH / ".plots/bin/py-spy"
SECONDS = 8
WAITS = re.compile(
    r"Condition\.wait|_PollLikeSelector\.select|EpollSelector\.select|Thread\.run \(threading"
    r"|_worker \(concurrent/futures"  # the thread for large requests, without one
    r"|PacedSelector\._interleave"  # it yields the core here
)
PARTS = {
    # grpc's own code is C: the innermost Python frame of a write is its caller.
    "grpc: writing a message": r"\.send \(.*service/rpc/completion_service",
    "OpenTelemetry: export": r"opentelemetry/.*export|exporter/|_encode|trace_exporter|otlp|encoder/",
    "OpenTelemetry: spans and metrics": r"opentelemetry|\(trace/|\(metrics/|\(attributes/|\(util/__init__",
    "our telemetry and logs": r"service/telemetry|structlog|logging/__init__",
    "our rpc": r"service/rpc",
    "our sessions": r"service/sessions",
    "our transport": r"service/transport",
    "our wire and domain": r"service/(wire|domain)",
    "our runtime": r"service/runtime",
    "websockets": r"websockets/",
    "asyncio and sockets": r"asyncio/|selectors\.py",
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Where the time goes.")
    parser.add_argument("--model", default="bench-125x20")
    parser.add_argument("--streams", type=int, default=50)
    parser.add_argument("--warm", type=int, default=2, help="seconds in which the streams begin")
    parser.add_argument("--off", action="store_true", help="with tracing, metrics and authentication off")
    parser.add_argument("--flame", default="", help="also write a flame graph to bench/results/NAME.svg")
    options = parser.parse_args()
    contenders.raise_file_limit()
    contenders.build()
    with ExitStack() as stack:
        _, url = contenders.upstream(stack)
        service = contenders.service(stack, url, everything=not options.off)
        shape = (
            "-model",
            options.model,
            "-streams",
            options.streams,
            "-warm",
            f"{options.warm}s",
            "-window",
            f"{2 * SECONDS + 8}s",
        )
        load = run.generator(*service.load, *shape)
        assert load.stdout is not None
        load.stdout.readline()
        file = BUILD / "profile.txt"
        sample(service.pid, file, "raw")
        if options.flame:
            flame = run.RESULTS / f"{options.flame}.svg"
            sample(service.pid, flame, "flamegraph")
            flame.write_text(flame.read_text().replace(f"{BENCH.parent}/", ""))  # No paths of this machine.
        load.kill()
        load.wait()
    sys.stdout.writelines(parts(file))
    return 0


def sample(pid: int | None, file: Path, form: str) -> None:
    shape = ("--duration", SECONDS, "--rate", 250, "--format", form, "--output", file)
    subprocess.run(list(map(str, (PY_SPY, "record", "--pid", pid, *shape))), check=True, capture_output=True)


def parts(file: Path) -> list[str]:
    counts: Counter[str] = Counter()
    for line in file.read_text().splitlines():
        frames, _, count = line.rpartition(" ")
        inner = frames.split(";")[::-1]
        if not WAITS.search(inner[0]):
            counts[part_of(inner)] += int(count)
    return [f"{count / counts.total():6.1%}  {part}\n" for part, count in counts.most_common()]


def part_of(inner: list[str]) -> str:
    found = (part for frame in inner for part, owns in PARTS.items() if re.search(owns, frame))
    return next(found, "the rest")


if __name__ == "__main__":
    sys.exit(main())
