"""Start what is measured: each contender on the first core, upstream and load on the last. Linux only.

"service" is everything on: authentication, every turn traced and exported to a sink, metrics, a log line a
turn; "service, all off" is without the first three. "grpc.aio floor" yields the same deltas from a timer, one
message each, without an upstream; "grpc.aio relay" is that server with an upstream, and does nothing else.
"C relay" copies bytes from one socket to another and parses nothing. The direct clients are the load on the
upstream itself. "LiteLLM" has one worker and relays SSE to SSE.
"""

# ruff: noqa: S603, S607, S105  starts and queries only programs of this benchmark

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent
BUILD = BENCH / ".build"
LITELLM = BENCH / ".litellm/bin/litellm"
CORES = sorted(os.sched_getaffinity(0))
"""Contenders run on the first core, upstream and load on the last. With one core they share it."""

TOKEN = "bench-token"
SESSIONS = 10_000
BARE = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}


@dataclass(frozen=True)
class Contender:
    """`load` are the load's arguments. `pid` is the process whose CPU is read; None for direct clients."""

    name: str
    load: tuple[str, ...] = ()
    pid: int | None = None
    missing: str = ""


def memory_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@contextmanager
def program(
    *command: str | Path, core: int, marker: str = "listening on ", **environment: str
) -> Iterator[tuple[int, str]]:
    """Run the program; yield its pid and the address that it prints after `marker`.

    Its output goes to a file: a pipe that nobody reads would fill up.
    """
    BUILD.mkdir(exist_ok=True)
    log = BUILD / f"{Path(command[0]).name}-{time.monotonic_ns()}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *map(str, command)],
            env=BARE | environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=BENCH.parent,
        )
    try:
        yield process.pid, _address(process, log, marker)
    finally:
        process.kill()
        process.wait()
        log.unlink()


def _address(process: subprocess.Popen[bytes], log: Path, marker: str) -> str:
    for _ in range(1800):
        text = log.read_text(errors="replace")
        if marker in text and text.partition(marker)[2].strip():
            return text.partition(marker)[2].split()[0].rstrip(",")
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"{log.name} did not start: {log.read_text(errors='replace')[-2000:]}")


def build() -> None:
    """Build the load and the upstream from bench/load."""
    BUILD.mkdir(exist_ok=True)
    if shutil.which("go") is None:
        sys.exit("bench: the load and the upstream are Go programs; install Go 1.26 or later")
    command = ["go", "build", "-trimpath", "-o", str(BUILD), "./upstream", "./load"]
    subprocess.run(command, check=True, cwd=BENCH / "load", env=os.environ | {"CGO_ENABLED": "0"})


def upstream(stack: ExitStack, *arguments: str) -> tuple[int, str]:
    return stack.enter_context(program(BUILD / "upstream", *arguments, core=CORES[-1]))


def service(stack: ExitStack, url: str, *, everything: bool = True, **more: str) -> Contender:
    """Start the service.

    With `everything`, callers authenticate, each turn is traced and exported, and metrics are served.
    """
    settings = {
        "TRUNKLINE_LISTEN": "127.0.0.1:0",
        "TRUNKLINE_UPSTREAM_URL": f"{url}/v1",
        "OPENAI_API_KEY": "k",
        "TRUNKLINE_MAX_CONNECTIONS": str(SESSIONS + 100),
        "TRUNKLINE_MAX_SESSIONS": str(SESSIONS + 100),
        "TRUNKLINE_SESSION_TTL_S": "3600",
        "TRUNKLINE_MAX_TURNS": "1100",
    }
    on = {
        "TRUNKLINE_AUTH_TOKENS": f"{TOKEN}=bench",
        "TRUNKLINE_METRICS_LISTEN": f"127.0.0.1:{free_port()}",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{url.replace('https', 'http')}/v1/traces",
        "OTEL_TRACES_SAMPLER": "always_on",
    }
    off = {"OTEL_SDK_DISABLED": "true"}
    extra = on if everything else off
    pid, address = stack.enter_context(
        program(sys.executable, "-m", "service", core=CORES[0], **settings, **extra, **more)
    )
    load = ("-mode", "grpc", "-target", address)
    if everything:
        return Contender("service", (*load, "-key", TOKEN), pid)
    return Contender("service, all off", load, pid)


def grpc_floor(stack: ExitStack, **environment: str) -> Contender:
    pid, address = stack.enter_context(
        program(sys.executable, "-m", "bench.floor", core=CORES[0], **environment)
    )
    return Contender("grpc.aio floor", ("-mode", "grpc", "-target", address), pid)


def grpc_relay(stack: ExitStack, url: str) -> Contender:
    command = (sys.executable, "-m", "bench.floor", "--upstream", f"{url}/v1")
    pid, address = stack.enter_context(program(*command, core=CORES[0]))
    return Contender("grpc.aio relay", ("-mode", "grpc", "-target", address), pid)


def c_floor(stack: ExitStack, url: str) -> Contender:
    compiler = shutil.which("cc")
    if compiler is None:
        return Contender("C relay", missing="no C compiler")
    subprocess.run([compiler, "-O2", "-o", BUILD / "floor", BENCH / "floor.c"], check=True)
    ports = str(free_port()), url.rpartition(":")[2]
    pid, address = stack.enter_context(program(BUILD / "floor", *ports, core=CORES[0]))
    return Contender("C relay", ("-mode", "ws", "-target", address), pid)


def litellm(stack: ExitStack, url: str, models: list[str]) -> Contender:
    """Start LiteLLM with one worker, a master key, and its defaults for everything else.

    It does not stream models that it does not know, so each model has a known name, and the upstream's script
    is in its address.
    """
    if not LITELLM.exists():
        return Contender("LiteLLM", missing="not installed (`make bench` tries to)")
    given = {"model": "openai/gpt-4.1", "api_key": "k"}
    config = {
        "model_list": [
            {
                "model_name": model,
                "litellm_params": given | {"api_base": f"{url}/{model}/v1"},
            }
            for model in models
        ],
        "general_settings": {"master_key": "sk-bench"},
    }
    file = BUILD / "litellm.json"
    file.write_text(json.dumps(config))
    port = free_port()
    command = (LITELLM, "--config", file, "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1")
    try:
        # By default LiteLLM downloads its price list at the start.
        pid, _ = stack.enter_context(
            program(
                *command, core=CORES[0], marker="Uvicorn running on ", LITELLM_LOCAL_MODEL_COST_MAP="True"
            )
        )
    except RuntimeError as error:
        return Contender("LiteLLM", missing=str(error).strip().splitlines()[-1])
    return Contender(
        "LiteLLM", ("-mode", "sse", "-target", f"http://127.0.0.1:{port}/v1", "-key", "sk-bench"), pid
    )


def direct(url: str) -> list[Contender]:
    host = url.partition("//")[2]
    return [
        Contender("direct WebSocket", ("-mode", "ws", "-target", host)),
        Contender("direct SSE", ("-mode", "sse", "-target", f"{url}/v1")),
    ]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def stats(url: str) -> dict[str, int]:
    directly = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with directly.open(f"{url}/stats", timeout=30) as response:
        counts: dict[str, int] = json.load(response)
        return counts


def raise_file_limit() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
