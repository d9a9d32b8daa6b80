"""Compare the CPU cost of grpcio versions: `python -m bench.versions`.

Runs the bare grpc.aio server on each version, by turns.

Each version is installed into its own folder below bench/.build and put on the path of its server; the
environment stays as it is.
"""

# ruff: noqa: S603  starts only programs of this benchmark

from __future__ import annotations

import argparse
import subprocess
import sys
from contextlib import ExitStack
from importlib.metadata import version
from statistics import median

from bench import contenders
from bench.contenders import BUILD, Contender
from bench.run import Bench, Load

LOADS = [
    Load("50 x 50/s", "bench-125x20", 50, warm=1.5),
    Load("one delta", "bench-1x0", 20, warm=0.5, window=2.5),
    Load("full speed", "bench-2000x0", 50, warm=0.5, window=2.0),
]


def main() -> int:
    parser = argparse.ArgumentParser(description="The bare grpc.aio server on several versions of grpcio.")
    parser.add_argument("versions", nargs="*", default=["1.75.1", "1.83.2"])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    contenders.build()
    with ExitStack() as stack:
        bench = Bench(stack)
        floors = {version("grpcio"): contenders.grpc_floor(stack)}
        floors |= {name: contenders.grpc_floor(stack, PYTHONPATH=_folder(name)) for name in options.versions}
        for load in LOADS:
            _print(load.name, floors, [_round(bench, floors, load) for _ in range(options.rounds)])
    return 0


def _folder(wanted: str) -> str:
    folder = BUILD / f"grpcio-{wanted}"
    if not folder.exists():
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check")
        subprocess.run([*pip, "--target", str(folder), f"grpcio=={wanted}"], check=True)
    return str(folder)


def _round(bench: Bench, floors: dict[str, Contender], load: Load) -> list[float]:
    return [bench.measure(floor, load)["cpu_us"] for floor in floors.values()]


def _print(load: str, floors: dict[str, Contender], rounds: list[list[float]]) -> None:
    for number, name in enumerate(floors):
        ratios = [one[number] / one[0] for one in rounds]
        cpu = median(one[number] for one in rounds)
        sys.stdout.write(
            f"{load:10}  grpcio {name:8} {cpu:7.1f} µs a delta"
            f"  {median(ratios):.2f} x ({min(ratios):.2f} to {max(ratios):.2f})\n"
        )


if __name__ == "__main__":
    sys.exit(main())
