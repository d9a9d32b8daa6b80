"""Tools of others that have nothing but the address: grpcurl and ghz learn the contract by reflection."""

import json
import os
import shutil
import subprocess

import pytest

from tests.e2e.conftest import PATIENCE_S, ROOT, World

# Building takes minutes the first time; later nothing is left to do.
pytestmark = [
    pytest.mark.deployment,
    pytest.mark.timeout(900),
    pytest.mark.skipif(shutil.which("go") is None, reason="no Go, with which these tools are built"),
]
MODULES = ("github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4", "github.com/bojand/ghz/cmd/ghz@v0.121.0")
BIN = ROOT / ".venv/go"
STREAM = "trunkline.v1.CompletionService.StreamCompletion"
HELLO = json.dumps(
    {
        "session_id": "s1",
        "model": "simulated-1",
        "messages": [{"role": "ROLE_USER", "parts": [{"text": {"text": "Hello."}}]}],
    }
)


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    for module in MODULES:
        subprocess.run(["go", "install", module], env=os.environ | {"GOBIN": str(BIN)}, check=True)


def run(tool: str, *arguments: str) -> str:
    command = [str(BIN / tool), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_grpcurl_describes_a_method_and_every_service(world: World) -> None:
    method = run("grpcurl", "-plaintext", world.address, "describe", STREAM)
    assert "returns ( stream .trunkline.v1.StreamCompletionResponse )" in method
    services = run("grpcurl", "-plaintext", world.address, "list").split()
    everything = run("grpcurl", "-plaintext", world.address, "describe")
    assert [line.split()[0] for line in everything.splitlines() if line.endswith("is a service:")] == services
    assert {"grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"} < set(services)


async def test_grpcurl_streams_a_turn(world: World) -> None:
    events = run("grpcurl", "-plaintext", "-d", HELLO, world.address, STREAM)
    assert '"context_reason": "first_turn"' in events


async def test_ghz_loads_the_service(world: World) -> None:
    options = ["--insecure", "--call", STREAM, "--data", HELLO, "--total", "20", "--concurrency", "2"]
    report = json.loads(run("ghz", *options, "--format", "json", world.address))
    assert report["statusCodeDistribution"] == {"OK": 20}
