"""`make bench`: measure the service beside alternatives and beside lower bounds. Linux only.

In each round the contenders take turns, so that noise of the machine affects all of them.
`bench.report` compares the figures with the goals.

CPU is the contender's whole process, read when the window opens and closes. Streams start evenly before the
window, which sees only the steady state. A delta's text is the time at which the upstream sent it, 20 digits:
deltas that were merged are cut again, and each is timed. Each turn says the same short message, one turn
after the other on the same session; histories are conversations that grow. Memory is RSS, above that of the
service after its first session.

The generator is the limit if upstream and load used more than 90 % of their core, the upstream sent 1 % of
the deltas more than 20 ms late, or the load's own timers were more than 10 ms late: the row then says so. At
full speed that happens with contenders that cost nothing; at a pace the machine is busy, and latencies say
little.
"""

# ruff: noqa: S603  starts and queries only programs of this benchmark

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from bench import contenders, report
from bench.contenders import BENCH, BUILD, CORES, Contender
from bench.replica import cpu_s

RESULTS = BENCH / "results"
SETTLED = 0.05
PATIENCE_S = 20
Figures = dict[str, Any]


@dataclass(frozen=True)
class Load:
    """`warm` and `window` are in seconds. `only` are prefixes of the contenders' names."""

    name: str
    model: str
    streams: int
    warm: float = 2.5
    window: float = 4.0
    only: tuple[str, ...] = ("",)


QUICK = [
    Load("50 x 50/s", "bench-125x20", 50, window=2.5),
    Load("full speed", "bench-2000x0", 50, warm=0.5, window=2.5),
    Load("one delta", "bench-1x0", 20, warm=0.5, window=2.0),
    Load("1000 x 50/s", "bench-500x20", 1000, warm=11.0, window=4.0, only=("service",)),
]
FULL = [
    Load("1 x 50/s", "bench-125x20", 1, warm=1.0),
    Load("50 x 50/s", "bench-125x20", 50),
    Load("200 x 50/s", "bench-125x20", 200),
    Load("1000 x 50/s", "bench-500x20", 1000, warm=11.0, window=6.0),
    Load("full speed", "bench-2000x0", 50, warm=1.0, window=3.0),
    Load("one delta", "bench-1x0", 20, warm=1.0, window=3.0),
]
"""Turns last 2.5 s, so that enough of them begin in a window; 10 s with many streams."""
HISTORIES = (2_000, 20_000, 200_000)


class Bench:
    """The contenders of one run, started."""

    def __init__(self, stack: ExitStack) -> None:
        self.upstream_pid, self.url = contenders.upstream(stack)
        self.all: list[Contender] = []

    def start(self, stack: ExitStack, loads: list[Load]) -> None:
        models = sorted({load.model for load in loads} | {"bench-20x0"})
        self.all = [
            contenders.service(stack, self.url),
            contenders.service(stack, self.url, everything=False),
            contenders.grpc_floor(stack),
            contenders.grpc_relay(stack, self.url),
            contenders.c_floor(stack, self.url),
            *contenders.direct(self.url),
            contenders.litellm(stack, self.url, models),
        ]

    def measure(self, contender: Contender, load: Load) -> Figures:
        """Measure one window. CPU is read when the load prints that the window opens and closes."""
        shape = (
            "-model",
            load.model,
            "-streams",
            load.streams,
            "-warm",
            f"{load.warm}s",
            "-window",
            f"{load.window}s",
        )
        process = generator(*contender.load, *shape)
        assert process.stdout is not None
        process.stdout.readline()
        before = self._counters(contender)
        process.stdout.readline()
        after = self._counters(contender)
        figures: Figures = json.loads(process.stdout.readline())
        process.wait(timeout=120)
        cpu, upstream, sent, late = (b - a for a, b in zip(before, after, strict=True))
        figures |= {"sent": sent, "late": late, "upstream_cpu": upstream / load.window}
        if contender.pid is not None and figures["deltas"]:
            figures["cpu_us"] = cpu / figures["deltas"] * 1e6
            figures["per_core_s"] = figures["deltas"] / cpu
            figures["cpu_share"] = cpu / load.window
        figures["behind"] = overload(figures, paced=not load.model.endswith("x0"))
        settle(contender)
        return figures

    def _counters(self, contender: Contender) -> tuple[float, float, int, int]:
        stats = contenders.stats(self.url)
        own = cpu_s(contender.pid) if contender.pid is not None else 0.0
        return own, cpu_s(self.upstream_pid), stats["sent"], stats["late"]

    def history(self, contender: Contender, size: int) -> Figures:
        """Measure the first turn after a history of `size` bytes, and the median of the next five."""
        shape = (
            "-model",
            "bench-20x0",
            "-streams",
            1,
            "-turns",
            6,
            "-history",
            size,
            "-stats",
            f"{self.url}/stats",
        )
        output, _ = generator(*contender.load, *shape).communicate(timeout=120)
        figures = json.loads(output)
        if figures["first_error"]:
            return {"error": figures["first_error"]}
        first, *later = figures["turns"]
        rest = {f"later_{key}": median(turn[key] for turn in later) for key in first}
        return {f"first_{key}": value for key, value in first.items()} | rest


def generator(*arguments: object) -> subprocess.Popen[str]:
    command = ["taskset", "-c", str(CORES[-1]), str(BUILD / "load"), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def overload(figures: Figures, *, paced: bool) -> str:
    """Return why the figures may be the generator's limit, not the contender's; empty if it kept its pace."""
    used = figures["own_cpu"] + figures["upstream_cpu"]
    if used > 0.9:
        return f"upstream and load used {used:.0%} of their core"
    if paced and figures["sent"] and figures["late"] > 0.01 * figures["sent"]:
        return f"the upstream sent {figures['late'] / figures['sent']:.0%} of the deltas more than 20 ms late"
    if paced and figures["own_lag_p99_ms"] > 10:
        return f"the load's own timers were {figures['own_lag_p99_ms']:.0f} ms late (p99)"
    return ""


def settle(contender: Contender) -> None:
    """Wait until the contender is idle: cancelled calls would otherwise disturb the next measurement."""
    until = time.monotonic() + PATIENCE_S
    while contender.pid is not None and time.monotonic() < until:
        before = cpu_s(contender.pid)
        time.sleep(0.25)
        if (cpu_s(contender.pid) - before) / 0.25 < SETTLED:
            return


def idle(sessions: list[int], *, tls: bool) -> list[Figures]:
    """Measure the memory of idle sessions, each with one finished turn and an open connection."""
    with ExitStack() as stack:
        certificate = BUILD / "upstream.pem"
        _, url = contenders.upstream(stack, *(("-tls", str(certificate)) if tls else ()))
        more: dict[str, Any] = {"SSL_CERT_FILE": str(certificate)} if tls else {}
        service = contenders.service(stack, url, everything=True, **more)
        assert service.pid is not None
        figures: list[Figures] = []
        empty = 0
        for number in [1, *sessions]:
            shape = ("-model", "bench-1x0", "-turns", 1, "-streams", 32, "-sessions", number)
            output, _ = generator(*service.load, *shape).communicate(timeout=600)
            if error := json.loads(output)["first_error"]:
                return [*figures, {"sessions": number, "error": error}]
            settle(service)
            held = contenders.memory_kib(service.pid)
            empty = empty or held
            before = cpu_s(service.pid)
            time.sleep(3)
            resting = (cpu_s(service.pid) - before) / 3
            figures.append(
                {
                    "sessions": number,
                    "kib": held,
                    "each_kib": (held - empty) / number,
                    "resting": resting,
                    "tls": tls,
                }
            )
        return figures[1:]


def run(loads: list[Load], rounds: int, sessions: list[int], *, only: str) -> Figures:
    measured: dict[str, dict[str, list[Figures]]] = {}
    with ExitStack() as stack:
        bench = Bench(stack)
        bench.start(stack, loads)
        present = [contender for contender in bench.all if not contender.missing and only in contender.name]
        for number in range(rounds):
            for load in loads:
                for contender in present:
                    if contender.name.startswith(load.only):
                        say(f"round {number + 1} of {rounds}: {load.name}, {contender.name}")
                        figures = bench.measure(contender, load)
                        measured.setdefault(load.name, {}).setdefault(contender.name, []).append(figures)
        say("histories")
        talkers = [contender for contender in present if contender.name in report.TALKERS]
        histories = {c.name: {str(size): bench.history(c, size) for size in HISTORIES} for c in talkers}
        missing = {contender.name: contender.missing for contender in bench.all if contender.missing}
    say("idle sessions")
    resting = [*idle(sessions, tls=False), *idle(sessions[-1:], tls=True)]
    return {
        "machine": machine(),
        "rounds": rounds,
        "missing": missing,
        "loads": measured,
        "histories": histories,
        "idle": resting,
    }


def machine() -> Figures:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    return {
        "cpu": cpu,
        "cores": len(CORES),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "grpcio": version("grpcio"),
        "websockets": version("websockets"),
        "load_average": os.getloadavg()[0],
    }


def say(text: str) -> None:
    sys.stderr.write(f"bench: {text}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure the service beside alternatives and lower bounds.")
    parser.add_argument("--quick", action="store_true", help="fewer loads, one round: some two minutes")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="only contenders with this in their name")
    parser.add_argument("--loads", default="", help="only loads with this in their name")
    parser.add_argument("--sessions", type=int, default=contenders.SESSIONS, help="idle sessions at most")
    options = parser.parse_args()
    contenders.raise_file_limit()
    contenders.build()
    began = time.monotonic()
    loads = [load for load in (QUICK if options.quick else FULL) if options.loads in load.name]
    most = 1000 if options.quick else options.sessions
    steps = [most] if options.quick else [most // 10, most // 2, most]
    result = run(loads, 1 if options.quick else options.rounds, steps, only=options.only)
    result["minutes"] = (time.monotonic() - began) / 60
    RESULTS.mkdir(exist_ok=True)
    name = "quick" if options.quick else "bench"
    text = report.text(result)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(text)
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
