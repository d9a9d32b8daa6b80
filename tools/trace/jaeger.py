"""Run a Jaeger on free ports, with its storage in memory, and query its API."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

READY_TIMEOUT_S = 60.0
END_TIMEOUT_S = 10.0
POLL_S = 0.1


class JaegerError(Exception):
    """Jaeger did not start. Expected."""


@dataclass(frozen=True, slots=True)
class Jaeger:
    """The addresses of a Jaeger. `ui` serves the web page and the query API."""

    ui: str
    otlp_http: str
    otlp_grpc: str

    def services(self) -> list[str]:
        return sorted(self._get("services") or [])

    def traces(self, service: str, limit: int = 100) -> list[dict[str, Any]]:
        """Return the traces in which the service took part, oldest first, in the API's JSON."""
        found = self._get(f"traces?{urllib.parse.urlencode({'service': service, 'limit': limit})}") or []
        return sorted(found, key=lambda trace: min(span["startTime"] for span in trace["spans"]))

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.ui}/api/{path}", timeout=10) as answer:  # noqa: S310  our own
            return json.load(answer)["data"]


def find() -> str | None:
    """Return the program that JAEGER_BIN names, else one on PATH or in ~/go/bin. None if there is none."""
    named = os.environ.get("JAEGER_BIN")
    if named:
        return named
    return shutil.which("jaeger") or shutil.which("jaeger", path=str(Path.home() / "go" / "bin"))


@contextmanager
def running(program: str) -> Iterator[Jaeger]:
    """Run Jaeger until the block ends. Raises JaegerError when it does not become ready."""
    query, query_grpc, otlp_http, otlp_grpc, health = _free_ports(5)
    config = json.dumps(_config(query, query_grpc, otlp_http, otlp_grpc, health))
    process = subprocess.Popen(  # noqa: S603  the program that the user named
        [program, f"--config=yaml:{config}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{health}/status")
        yield Jaeger(
            f"http://127.0.0.1:{query}", f"http://127.0.0.1:{otlp_http}", f"http://127.0.0.1:{otlp_grpc}"
        )
    finally:
        process.terminate()
        try:
            process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _config(query: int, query_grpc: int, otlp_http: int, otlp_grpc: int, health: int) -> dict[str, Any]:
    """Configure OTLP receivers, storage in memory and the query API, all on the given ports."""

    def at(port: int) -> dict[str, str]:
        return {"endpoint": f"127.0.0.1:{port}"}

    return {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query", "healthcheckv2"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
            "telemetry": {"metrics": {"level": "none"}},
        },
        "extensions": {
            "jaeger_query": {
                "storage": {"traces": "memory"},
                "http": at(query),
                "grpc": at(query_grpc),
            },
            "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": 10_000}}}},
            "healthcheckv2": {"use_v2": True, "http": at(health)},
        },
        "receivers": {"otlp": {"protocols": {"grpc": at(otlp_grpc), "http": at(otlp_http)}}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "memory"}},
    }


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not _answers(url):
        if process.poll() is not None:
            raise JaegerError(f"Jaeger exited with code {process.returncode}")
        if time.monotonic() > deadline:
            raise JaegerError(f"Jaeger is not ready after {READY_TIMEOUT_S:.0f} s")
        time.sleep(POLL_S)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  our own
            return bool(answer.status == 200)
    except OSError:
        return False
