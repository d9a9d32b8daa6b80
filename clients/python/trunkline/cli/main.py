"""The program: run a command, and turn a failure into a message and an exit code."""

import io
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence

from trunkline.cli.arguments import parse
from trunkline.cli.calls import cancel, health, release, warm
from trunkline.cli.chat import chat
from trunkline.cli.exits import FAILED, INTERRUPTED, code_of
from trunkline.cli.records import error_record
from trunkline.cli.sessions import sessions
from trunkline.cli.terminal import Terminal
from trunkline.cli.words import error_lines
from trunkline.errors import TrunklineError

COMMANDS: Mapping[str, Callable[[Namespace, Terminal], int]] = {
    "chat": chat,
    "sessions": sessions,
    "warm": warm,
    "release": release,
    "cancel": cancel,
    "health": health,
}


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse(arguments)
    if sys.stdin is None:  # closed by whoever started the program: there is nothing to read
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
    _forgive()
    terminal = Terminal()
    try:
        return COMMANDS[given.command](given, terminal)
    except TrunklineError as error:
        report(error, given, terminal)
        return code_of(error)
    except KeyboardInterrupt:
        terminal.fresh_line()
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has enough. Python would flush once more at the end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def _forgive() -> None:
    """A byte that is no text, or a sign that this terminal lacks, is marked; it ends nothing."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def report(error: TrunklineError, given: Namespace, terminal: Terminal) -> None:
    if given.json:
        terminal.record(error_record(error))
        return
    first, *more = error_lines(error, given.address)
    terminal.note(first, "red")
    for line in more:
        terminal.note(line)
