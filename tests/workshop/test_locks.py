"""The locks are what pyproject.toml asks for; a forgotten `make lock` fails here. Needs no network."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
# A locked package: its pin, its hashes, then who asked for it ("# via", on the same or on following lines).
ENTRY = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>\S+)(?P<rest>.*\n(?:[ ]+.*\n)*)", re.MULTILINE)


def read_lock(name):
    return {entry["name"]: entry for entry in ENTRY.finditer((ROOT / "requirements" / name).read_text())}


def asked_by_project(lock):
    return {name for name, entry in lock.items() if "(pyproject.toml" in entry["rest"]}


def group(name):
    for item in PROJECT["dependency-groups"][name]:
        if isinstance(item, dict):
            yield from group(item["include-group"])
        else:
            yield item


RUNTIME = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
LOCKS = {
    "service.lock": RUNTIME,
    "dev.lock": RUNTIME + [Requirement(line) for line in group("dev")],
    "simulator.lock": [Requirement(line) for line in group("simulator")],
    "deploy.lock": [Requirement(line) for line in group("deploy")],
    "agents.lock": [Requirement(line) for line in group("agents")],
}


@pytest.mark.parametrize(("name", "requirements"), LOCKS.items())
def test_lock_agrees_with_pyproject(name, requirements):
    lock = read_lock(name)
    assert {canonicalize_name(requirement.name) for requirement in requirements} == asked_by_project(lock)
    for requirement in requirements:
        assert lock[canonicalize_name(requirement.name)]["version"] in requirement.specifier


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_hashed_and_no_address_is_named(name):
    lock = read_lock(name)
    assert all("--hash=sha256:" in entry["rest"] for entry in lock.values())
    assert "://" not in (ROOT / "requirements" / name).read_text()


@pytest.mark.parametrize("name", ["service.lock", "simulator.lock"])
def test_the_images_run_on_what_was_tested(name):
    tested = {name: entry["version"] for name, entry in read_lock("dev.lock").items()}
    for package, entry in read_lock(name).items():
        assert tested[package] == entry["version"]


@pytest.mark.parametrize("folder", [".", "tests/agents", "clients/typescript"])
def test_npm_locks_name_hashes_and_no_address(folder):
    lock = json.loads((ROOT / folder / "package-lock.json").read_text())
    packages = [package for path, package in lock["packages"].items() if path]
    assert packages
    assert all("integrity" in package and "resolved" not in package for package in packages)


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile"])
def test_what_is_locked_is_installed_without_resolving(name):
    """pip resolves past a lock where somebody asks for an extra: that breaks with any later release."""
    commands = (ROOT / name).read_text().split("install ")
    locked = [command for command in commands if "--require-hashes" in command]
    assert locked
    assert all("--no-deps" in command for command in locked)
