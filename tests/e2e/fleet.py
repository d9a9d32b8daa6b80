"""A real Envoy, replicas as processes, the simulator behind them: what a deployment is, without containers.

Envoy runs deploy/envoy.yaml as it stands; only addresses differ, because here all replicas are on loopback.
A replica that is not started yet is to Envoy what one is that does not exist yet: no healthy host.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from simulator import Simulator
from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
ENVOY = Path(sys.executable).with_name("envoy")
CONFIG = ROOT / "deploy/envoy.yaml"
PATIENCE_S = 60.0
"""How long an event may take that will come: a guard against a hang, no budget."""


async def until(true: Callable[[], Awaitable[bool] | bool]) -> None:
    """Returns once it is so. For what other processes do, of which nobody tells us."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = true()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.05)


@dataclass
class Process:
    """A program that may end and be started again. What it says goes to a file."""

    command: list[str]
    log: Path
    environ: dict[str, str] = field(default_factory=dict)
    running: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("TRUNKLINE_")}
        with self.log.open("ab") as log:
            self.running = await asyncio.create_subprocess_exec(
                *self.command, cwd=ROOT, env=environ | self.environ, stdout=log, stderr=log
            )

    def cpu_s(self) -> float:
        """What it has used so far. Linux only."""
        used = self._proc("stat").rpartition(")")[2].split()[11:13]
        return sum(map(int, used)) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self) -> float:
        [resident] = [line for line in self._proc("status").splitlines() if line.startswith("VmRSS")]
        return int(resident.split()[1]) / 1024

    def _proc(self, name: str) -> str:
        assert self.running is not None
        return Path(f"/proc/{self.running.pid}/{name}").read_text()

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends the signal and waits. Returns the exit code."""
        assert self.running is not None
        if self.running.returncode is None:
            self.running.send_signal(number)
        async with asyncio.timeout(PATIENCE_S):
            return await self.running.wait()


@dataclass
class Replica(Process):
    name: str = ""
    address: str = ""


@dataclass
class Fleet:
    simulator: Simulator
    replicas: list[Replica]
    envoy: Process
    door: str
    stats: str
    admin: str
    http: httpx.AsyncClient

    async def stat(self, name: str) -> int:
        """One of Envoy's counters or gauges of the replicas' cluster."""
        answer = await self.http.get(f"http://{self.admin}/stats", params={"format": "json"})
        found = {one.get("name"): one.get("value") for one in answer.json()["stats"]}
        return int(found[f"cluster.trunkline.{name}"])

    async def healthy(self, number: int) -> None:
        """Waits until Envoy counts that many healthy replicas."""

        async def counted() -> bool:
            try:
                return await self.stat("membership_healthy") == number
            except httpx.TransportError:  # it has only begun to listen
                return False

        await until(counted)

    def access(self) -> list[dict[str, Any]]:
        """Envoy's access log of the calls that had a session. A call is in it once it has ended."""
        lines = self.envoy.log.read_text().splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return [entry for entry in entries if entry["session"]]

    async def served(self, calls: int) -> dict[str, list[str]]:
        """The replicas that served each session, call by call; waits until Envoy has written so many."""
        await until(lambda: len(self.access()) >= calls)
        names = {replica.address: replica.name for replica in self.replicas}
        served: dict[str, list[str]] = {}
        for entry in sorted(self.access(), key=lambda entry: entry["time"]):
            served.setdefault(entry["session"], []).append(names.get(entry["replica"], "nobody"))
        return served


@asynccontextmanager
async def fleet(
    folder: Path,
    *,
    replicas: int,
    later: int = 0,
    request_timeout: str = "60s",
    ratelimit: int | None = None,
    **settings: str,
) -> AsyncIterator[Fleet]:
    """That many replicas behind Envoy, and places for some that are started `later`.

    `ratelimit` is the port of a rate limit service; without it there are no limits over all replicas.
    """
    door, stats, admin, *ports = free_ports(3 + replicas + later)
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(Simulator())
        members = [
            _replica(folder, f"r{n}", port, simulator.url, settings) for n, port in enumerate(ports, 1)
        ]
        envoy = Process(
            _envoy_command(
                folder, door, stats, admin, ports, request_timeout=request_timeout, ratelimit=ratelimit
            ),
            folder / "envoy.log",
        )
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=PATIENCE_S))
        for process in [*members, envoy]:
            stack.push_async_callback(_ended, process)
        for process in [*members[:replicas], envoy]:
            await process.start()
        house = Fleet(
            simulator, members, envoy, f"127.0.0.1:{door}", f"127.0.0.1:{stats}", f"127.0.0.1:{admin}", http
        )
        await until(lambda: _answers(admin))
        await house.healthy(replicas)
        yield house


async def _ended(process: Process) -> None:
    if process.running is not None:
        await process.end(signal.SIGKILL)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _replica(folder: Path, name: str, port: int, upstream: str, settings: dict[str, str]) -> Replica:
    address = f"127.0.0.1:{port}"
    environ = {f"TRUNKLINE_{key.upper()}": value for key, value in settings.items()} | {
        "TRUNKLINE_LISTEN": address,
        "TRUNKLINE_REPLICA": name,
        "TRUNKLINE_UPSTREAM_URL": upstream,
        "OPENAI_API_KEY": "k",
    }
    command = [sys.executable, "-m", "service"]
    return Replica(command, folder / f"{name}.log", environ, name=name, address=address)


def _envoy_command(
    folder: Path,
    door: int,
    stats: int,
    admin: int,
    replicas: list[int],
    *,
    request_timeout: str,
    ratelimit: int | None,
) -> list[str]:
    import yaml  # noqa: PLC0415  installed with Envoy, so perhaps not

    config = yaml.safe_load(CONFIG.read_text())
    listeners = {one["name"]: one["address"] for one in config["static_resources"]["listeners"]}
    clusters = {one["name"]: one for one in config["static_resources"]["clusters"]}
    listeners["door"] |= _address(door)
    listeners["stats"] |= _address(stats)
    manager = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    manager["request_timeout"] = request_timeout
    filters = {one["name"].rpartition(".")[2]: one["typed_config"] for one in manager["http_filters"]}
    filters["grpc_json_transcoder"]["proto_descriptor"] = str(CONFIG.with_name("trunkline.binpb"))
    config["admin"]["address"] = _address(admin)
    # Addresses in place of the name that stands for all of them.
    trunkline = clusters["trunkline"]
    del trunkline["cluster_type"]
    trunkline["type"] = "STATIC"
    trunkline["load_assignment"]["endpoints"] = _endpoints(replicas)
    # Maglev goes by the replicas' names here, not by ports that happened to be free: which sessions move is
    # then the same in each run. (It moves one of others' now and then: some 1 in 3,000 at three replicas.)
    for number, endpoint in enumerate(trunkline["load_assignment"]["endpoints"][0]["lb_endpoints"], 1):
        endpoint["metadata"] = {"filter_metadata": {"envoy.lb": {"hash_key": f"r{number}"}}}
    clusters["admin"]["load_assignment"]["endpoints"] = _endpoints([admin])
    if ratelimit is not None:
        del clusters["ratelimit"]["cluster_type"]
        clusters["ratelimit"]["load_assignment"]["endpoints"] = _endpoints([ratelimit])
    path = folder / "envoy.json"
    path.write_text(json.dumps(config))
    flags = ["--config-yaml", _compose_runtime(0 if ratelimit is None else 100)]
    flags += ["--disable-hot-restart", "--log-level", "warn", "--file-flush-interval-msec", "50"]
    return [str(ENVOY), "--config-path", str(path), "--concurrency", "2", *flags]


def _compose_runtime(rate_limit_percent: int) -> str:
    """What docker-compose.yml adds to the configuration."""
    import yaml  # noqa: PLC0415  as above

    command = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["envoy"]["command"]
    added: str = command[command.index("--config-yaml") + 1]
    return added.replace("${RATE_LIMIT_PERCENT:-0}", str(rate_limit_percent))


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _endpoints(ports: list[int]) -> list[dict[str, Any]]:
    return [{"lb_endpoints": [{"endpoint": {"address": _address(port)}} for port in ports]}]
