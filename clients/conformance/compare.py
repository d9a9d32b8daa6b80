"""Run the scenarios with every client and compare the transcripts: README.md describes them.

Transcripts are compared as bytes. Each runner gets a simulator and a service of its own, so that all begin
alike.
"""

from __future__ import annotations

import argparse
import difflib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cutting import cutting

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SCENARIOS = HERE / "scenarios.json"
EXPECTED = HERE / "expected.txt"
READY_TIMEOUT_S = 60.0
RUN_TIMEOUT_S = 600.0
STOP_TIMEOUT_S = 40.0
DIFF_LINES = 40
DIFF_COLUMNS = 400


@dataclass(frozen=True, slots=True)
class Runner:
    """`command` is completed by ADDRESS SCENARIOS. `file` must exist; `make` says how it comes to be."""

    needs: str
    command: tuple[str, ...]
    file: str
    make: str = ""


PYTHON = "clients/python/conformance.py"
TYPESCRIPT = "clients/typescript/build/conformance/main.js"
RUNNERS = {
    "go": Runner("go", ("go", "-C", "clients/go", "run", "./cmd/conformance"), "clients/go/go.mod"),
    "python": Runner(sys.executable, (sys.executable, PYTHON), PYTHON),
    "python-sync": Runner(sys.executable, (sys.executable, PYTHON, "--sync"), PYTHON),
    "typescript": Runner("node", ("node", TYPESCRIPT), TYPESCRIPT, "make client-typescript"),
    "java": Runner(
        "java", ("clients/java/conformance",), "clients/java/target/test-classpath", "make client-java"
    ),
}


class ProblemError(Exception):
    """Expected: a transcript is unavailable. The message says why."""


def main() -> int:
    options = arguments()
    if options.record:
        transcript = transcript_of(options.record)
        EXPECTED.write_text(transcript, encoding="ascii", newline="\n")
        say(f"conformance: {EXPECTED.relative_to(ROOT)} is what {options.record} printed")
        return 0
    languages = options.only or list(RUNNERS)
    transcripts: dict[str, dict[str, str]] = {}
    problems: dict[str, str] = {}
    for language in languages:
        say(f"conformance: {language} runs …")
        try:
            transcripts[language] = by_scenario(transcript_of(language))
        except ProblemError as missing:
            problems[language] = str(missing)
    expected = by_scenario(EXPECTED.read_text(encoding="ascii"))
    differing = report(expected, transcripts, languages)
    for language, why in problems.items():
        say(f"\nconformance: {language}: {why}")
    if differing or problems:
        return 1
    say(f"\nconformance: {len(expected)} scenarios, equal in {', '.join(languages)}")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare the clients, scenario by scenario.")
    parser.add_argument(
        "--only",
        type=known_languages,
        metavar="LANGUAGE,…",
        help=f"of {', '.join(RUNNERS)}; else all of them must be there",
    )
    parser.add_argument(
        "--record", choices=RUNNERS, metavar="LANGUAGE", help="write expected.txt from its transcript"
    )
    return parser.parse_args()


def known_languages(text: str) -> list[str]:
    languages = text.split(",")
    if unknown := [language for language in languages if language not in RUNNERS]:
        raise argparse.ArgumentTypeError(f"there is no runner for {', '.join(unknown)}")
    return languages


def transcript_of(language: str) -> str:
    runner = RUNNERS[language]
    if shutil.which(runner.needs) is None:
        raise ProblemError(f"missing: found no {runner.needs} on this machine")
    if not (ROOT / runner.file).exists():
        hint = f"; `{runner.make}` builds it" if runner.make else ""
        raise ProblemError(f"missing: there is no {runner.file}{hint}")
    with tempfile.TemporaryDirectory() as folder, stack(Path(folder)) as service, cutting(service) as doors:
        address, control = doors
        try:
            ended = subprocess.run(  # noqa: S603 - a program of the project
                [*runner.command, address, str(SCENARIOS)],
                cwd=ROOT,
                env=os.environ | {"CONFORMANCE_CUT": control},
                capture_output=True,
                timeout=RUN_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as problem:
            raise ProblemError(f"the runner took longer than {RUN_TIMEOUT_S:g} s") from problem
        complaint = ended.stderr.decode(errors="replace").strip()
        if ended.returncode:
            raise ProblemError(f"the runner ended with {ended.returncode}: {complaint[-2000:]}")
    try:
        return ended.stdout.decode("ascii")
    except UnicodeDecodeError as problem:
        raise ProblemError(f"the transcript is not ASCII: {problem}") from problem


@contextmanager
def stack(folder: Path) -> Iterator[str]:
    """A service and its upstream, the simulator. Yields the address."""
    upstream, address = (f"127.0.0.1:{free_port()}" for _ in range(2))
    # The caller's own settings are none of these processes'.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("TRUNKLINE_", "OTEL_"))}
    env |= {
        "TRUNKLINE_LISTEN": address,
        "TRUNKLINE_UPSTREAM_URL": f"http://{upstream}/v1",
        "OPENAI_API_KEY": "simulated",
    }
    simulator = ["simulator", "--port", upstream.rpartition(":")[2]]
    with running(simulator, env, upstream, folder), running(["service"], env, address, folder):
        yield address


@contextmanager
def running(module: list[str], env: Mapping[str, str], address: str, folder: Path) -> Iterator[None]:
    log = folder / f"{module[0]}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - a program of the project
            [sys.executable, "-m", *module], cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            ready = wait_for(lambda: process.poll() is not None or answers(address))
            if not ready or process.poll() is not None:
                raise ProblemError(f"the {module[0]} does not answer: {log.read_text(errors='replace')}")
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def by_scenario(transcript: str) -> dict[str, str]:
    """Name → its lines. What stands before the first scenario has the name ''."""
    found: dict[str, str] = {}
    name = ""
    for line in transcript.splitlines(keepends=True):
        if line.startswith("== "):
            name = line[3:].rstrip("\n")
        found[name] = found.get(name, "") + line
    return found


def report(expected: Mapping[str, str], got: Mapping[str, Mapping[str, str]], languages: list[str]) -> bool:
    """The table, then what differs. Returns whether anything does."""
    names = list(dict.fromkeys([*expected, *(name for one in got.values() for name in one)]))
    width = max(len(name) for name in names)
    say(f"\n{'scenario':{width}}  " + "  ".join(f"{language:7}" for language in languages).rstrip())
    differing = []
    for name in names:
        row = []
        for language in languages:
            cell = "missing"
            if language in got:
                same = got[language].get(name) == expected.get(name)
                cell = "same" if same else "DIFFERS"
                differing += [] if same else [(name, language)]
            row.append(f"{cell:{max(len(language), 7)}}")
        say(f"{name:{width}}  " + "  ".join(row).rstrip())
    for name, language in differing:
        show(expected.get(name, ""), got[language].get(name, ""), f"{name}: {language}")
    return bool(differing)


def show(expected: str, got: str, title: str) -> None:
    lines = list(
        difflib.unified_diff(expected.splitlines(), got.splitlines(), "expected.txt", title, lineterm="", n=1)
    )
    say("")
    for line in lines[:DIFF_LINES]:
        say(line if len(line) <= DIFF_COLUMNS else line[:DIFF_COLUMNS] + "…")
    if len(lines) > DIFF_LINES:
        say(f"… and {len(lines) - DIFF_LINES} lines more")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ProblemError as problem:
        sys.exit(f"conformance: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
