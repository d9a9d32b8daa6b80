"""`make up` and `make down` of a deployment that belongs to the tests alone: its own name, its own ports.

Whatever this machine has deployed, and whatever its .env says, stays out of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_ports

ROOT = Path(__file__).parents[2]
PROJECT = "trunkline-e2e"
LABEL = f"label=com.docker.compose.project={PROJECT}"
PATIENCE_S = 120.0


def run(*command: str, environ: dict[str, str] | None = None) -> str:
    """What a command says; if it fails, that is the error."""
    done = _done(*command, environ=environ)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def skip_without_engine() -> None:
    """Skips, and says what is missing: an engine, or an image that is unavailable."""
    if shutil.which("docker") is None or _done("docker", "version").returncode != 0:
        pytest.skip("no Docker engine answers")
    skip_without_compose()
    services = json.loads(run("docker", "compose", "config", "--format", "json"))["services"].values()
    for image in {service["image"] for service in services if "image" in service}:
        skip_without_image(image)


def skip_without_image(image: str) -> None:
    """Skips where it is neither here nor to be pulled."""
    missing = _done("docker", "image", "inspect", image).returncode
    if missing and _done("docker", "pull", image).returncode:
        pytest.skip(f"the image {image} is unavailable")


def skip_without_compose() -> None:
    """Compose reads its file without an engine, too."""
    if shutil.which("docker") is None or _done("docker", "compose", "version").returncode != 0:
        pytest.skip("no docker compose")


def _done(*command: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def until(found: Callable[[], Any]) -> Any:
    """What it finds, as soon as it finds something."""
    deadline = time.monotonic() + PATIENCE_S
    while not (what := found()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.25)
    return what


@dataclass
class Deployment:
    environ: dict[str, str]
    reported: str = ""
    """What `make up` said."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.environ['ENVOY_PORT']}"

    @property
    def jaeger(self) -> str:
        return f"http://127.0.0.1:{self.environ['JAEGER_PORT']}"

    @property
    def collector(self) -> str:
        return f"http://127.0.0.1:{self.environ['JAEGER_OTLP_PORT']}"

    def make(self, *arguments: str) -> str:
        return run("make", "--no-print-directory", *arguments, environ=self.environ)

    def compose(self, *arguments: str) -> str:
        return run("docker", "compose", *arguments, environ=self.environ)

    def containers(self, service: str = "") -> list[dict[str, Any]]:
        """What the engine knows of each."""
        wanted = ["--filter", f"label=com.docker.compose.service={service}"] if service else []
        ids = run("docker", "ps", "--quiet", "--filter", LABEL, *wanted).split()
        return json.loads(run("docker", "inspect", *ids)) if ids else []

    def envoy_stat(self, name: str) -> int:
        """From within: nothing of it is published."""
        asked = f"GET /stats?filter={name}$ HTTP/1.1\\r\\nHost: envoy\\r\\nConnection: close\\r\\n\\r\\n"
        ask = f"exec 3<>/dev/tcp/127.0.0.1/9901; printf '{asked}' >&3; cat <&3"
        answer = self.compose("exec", "-T", "envoy", "bash", "-c", ask)
        return int(next(line for line in answer.splitlines() if name in line).rpartition(" ")[2])


def deployment(**more: str) -> Deployment:
    settings = ("TRUNKLINE_", "OTEL_", "OPENAI_", "COMPOSE_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(settings)}
    names = ("ENVOY_PORT", "JAEGER_PORT", "JAEGER_OTLP_PORT", "GRAFANA_PORT")
    environ |= dict(zip(names, map(str, free_ports(len(names))), strict=True))
    return Deployment(environ | {"COMPOSE_PROJECT_NAME": PROJECT, "COMPOSE_ENV_FILES": os.devnull} | more)
