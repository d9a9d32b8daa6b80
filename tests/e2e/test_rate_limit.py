"""Limits over all replicas: a real Envoy, and its real rate limit service with a Redis."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.fleet import ENVOY, PATIENCE_S, ROOT, Fleet, Process, fleet, until
from tests.ports import free_ports
from trunkline import AsyncClient, TrunklineError

# Building the service takes minutes the first time; later nothing is left to do.
pytestmark = [
    pytest.mark.deployment,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not ENVOY.exists(), reason="no Envoy: `make e2e` installs it"),
    pytest.mark.skipif(shutil.which("go") is None, reason="no Go, with which the service is built"),
    pytest.mark.skipif(
        shutil.which("redis-server") is None, reason="no Redis (Debian: apt install redis-server)"
    ),
]
LIMIT = 6
BIN = ROOT / ".venv/go"


@dataclass
class Limited:
    house: Fleet
    service: Process


def module() -> str:
    """As the image has it."""
    [line] = [
        line for line in (ROOT / "Dockerfile").read_text().splitlines() if "envoyproxy/ratelimit" in line
    ]
    return line.strip()


def configure(folder: Path) -> None:
    """The limits of compose but two: few enough to reach, and by days, which hardly end during a test."""
    given = (ROOT / "deploy/ratelimit/trunkline.yaml").read_text()
    limits = given.replace("unit: minute", "unit: day").replace(
        "requests_per_unit: 600", f"requests_per_unit: {LIMIT}"
    )
    assert limits.count(f"unit: day, requests_per_unit: {LIMIT}") == 1
    (folder / "ratelimit/config").mkdir(parents=True)
    (folder / "ratelimit/config/trunkline.yaml").write_text(limits)


@pytest.fixture(scope="module", autouse=True)
def program() -> None:
    subprocess.run(["go", "install", module()], env=os.environ | {"GOBIN": str(BIN)}, check=True)


@pytest.fixture
async def limited(tmp_path) -> AsyncIterator[Limited]:
    configure(tmp_path)
    redis_port, grpc_port, http_port, debug_port = free_ports(4)
    flags = ["--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    redis = Process(["redis-server", *flags], tmp_path / "redis.log")
    environ = {
        "BACKEND_TYPE": "redis",
        "REDIS_SOCKET_TYPE": "tcp",
        "REDIS_URL": f"127.0.0.1:{redis_port}",
        "RUNTIME_ROOT": str(tmp_path),
        "RUNTIME_SUBDIRECTORY": "ratelimit",
        "RUNTIME_WATCH_ROOT": "false",
        "USE_STATSD": "false",
        "HOST": "127.0.0.1",
        "PORT": str(http_port),
        "GRPC_HOST": "127.0.0.1",
        "GRPC_PORT": str(grpc_port),
        "DEBUG_HOST": "127.0.0.1",
        "DEBUG_PORT": str(debug_port),
    }
    service = Process([str(BIN / "service_cmd")], tmp_path / "ratelimit.log", environ)
    try:
        await redis.start()
        await until(lambda: "Ready to accept connections" in redis.log.read_text())
        await service.start()
        async with httpx.AsyncClient() as http:

            async def healthy() -> bool:
                try:
                    return (await http.get(f"http://127.0.0.1:{http_port}/healthcheck")).is_success
                except httpx.TransportError:  # it has only begun
                    return False

            await until(healthy)
        tokens = "a=alice,b=bob"
        async with fleet(tmp_path, replicas=2, ratelimit=grpc_port, auth_tokens=tokens) as house:
            yield Limited(house, service)
    finally:
        for process in (service, redis):
            if process.running is not None:
                await process.end()


async def turn(client: AsyncClient, session: str) -> str:
    """OK, or the status with which a turn failed."""
    try:
        await client.conversation(session, model="simulated-1").complete("Hello.")
    except TrunklineError as error:
        return error.status.name
    return "OK"


async def test_a_caller_has_one_limit_over_all_replicas(limited):
    house = limited.house
    async with asyncio.timeout(PATIENCE_S), AsyncClient(house.door, token="a") as alice:
        endings = [await turn(alice, f"s{n}") for n in range(LIMIT + 3)]
        assert endings == ["OK"] * LIMIT + ["RESOURCE_EXHAUSTED"] * 3
        served = await house.served(LIMIT + 3)
        assert {name for names in served.values() for name in names} == {"r1", "r2", "nobody"}
        # What is no turn has no limit, and neither has another caller used it up.
        for n in range(LIMIT):
            await alice.release_session(f"s{n}")
        async with AsyncClient(house.door, token="b") as bob:
            assert await turn(bob, "s0") == "OK"

        said = {
            "model": "simulated-1",
            "messages": [{"role": "ROLE_USER", "parts": [{"text": {"text": "Hi."}}]}],
        }
        url, bearer = f"http://{house.door}/v1/sessions/s0/complete", {"authorization": "Bearer a"}
        refused = await house.http.post(url, json=said, headers=bearer)
        assert (refused.status_code, refused.headers["x-ratelimit-remaining"]) == (429, "0")

        # Without the service calls go on: the replicas have limits of their own.
        await limited.service.end()
        assert await turn(alice, "s1") == "OK"


async def test_calls_without_a_token_count_together(limited):
    async with asyncio.timeout(PATIENCE_S), AsyncClient(limited.house.door) as nobody:
        endings = [await turn(nobody, f"s{n}") for n in range(LIMIT + 1)]
    assert endings == ["UNAUTHENTICATED"] * LIMIT + ["RESOURCE_EXHAUSTED"]
