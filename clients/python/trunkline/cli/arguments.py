"""The command line: every option, its default and its help."""

import argparse
import math
import os
import runpy
from collections.abc import Sequence
from typing import Any

from trunkline._version import __version__
from trunkline.cli.exits import MEANING
from trunkline.options import TRANSPORTS
from trunkline.settings import DEFAULT_ADDRESS
from trunkline.tls import TLS
from trunkline.tools import Tool

# Not TRUNKLINE_…: those are the service's settings, and it refuses one that it does not know.
ADDRESS = "TRUNK_ADDRESS"
TOKEN = "TRUNK_TOKEN"  # noqa: S105 - the name of one
MODEL = "gpt-5.6"
TIMEOUT_S = 10.0
INTERVAL_S = 2.0

CHAT = """\
Hold a conversation: each line is a turn. Ctrl-C stops the turn; a second Ctrl-C at the prompt, or Ctrl-D,
leaves. /help lists commands: a new conversation, a copy of it, another model, a report. From a pipe each line
is for the model: the answers go to standard output, all else to standard error, and the first turn that
fails ends it.
"""
MEANINGS = "\n".join(f"  {code:<14} {meaning}" for code, meaning in MEANING.items())
EPILOG = f"""\
environment:
  {ADDRESS:<14} where the service is, unless --address says so
  {TOKEN:<14} the bearer token, unless --token says so
  {"NO_COLOR":<14} no colours

exit codes:
{MEANINGS}
"""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line. Exits with 2 if it is invalid."""
    raw: Any = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
    parser = argparse.ArgumentParser(
        "trunkline", description="Talk to a Trunkline service.", epilog=EPILOG, **raw
    )
    parser.add_argument("--version", action="version", version=f"trunkline {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, does: str, description: str = "") -> argparse.ArgumentParser:
        return commands.add_parser(name, help=does, description=description or does, epilog=EPILOG, **raw)

    _chat(add("chat", "Hold a conversation.", CHAT))
    _sessions(add("sessions", "Show the sessions of one or several replicas, until Ctrl-C."))
    _warm(add("warm", "Open a session's connection before its first turn."))
    _release(add("release", "Let the service forget a session and close its connection."))
    _cancel(add("cancel", "Stop a turn that runs, or forget one that has ended and is kept."))
    _health(add("health", "Ask one or several replicas whether they take calls."))
    given = parser.parse_args(arguments)
    if given.ca or given.cert or given.key:
        try:
            given.tls = TLS(ca=given.ca, cert=given.cert, key=given.key)
        except (OSError, ValueError) as error:
            parser.error(str(error))
    return given


def _chat(parser: argparse.ArgumentParser) -> None:
    _reach(parser, timeout=None)
    _what(parser)
    parser.add_argument(
        "--session", metavar="ID", help="its id; without it a new session, released in the end"
    )
    parser.add_argument("--transport", choices=list(TRANSPORTS), help="how turns go upstream")
    parser.add_argument(
        "--reasoning", metavar="EFFORT", help="low, medium, high; summaries are asked for, too"
    )
    parser.add_argument(
        "--resume", action="store_true", help="an answer goes on by itself where the connection breaks"
    )
    parser.add_argument(
        "--tools",
        metavar="FILE",
        type=_tools,
        default=[],
        help="a Python file whose tools the model may use: marked @trunkline.tool, or by tool_definition",
    )


def _sessions(parser: argparse.ArgumentParser) -> None:
    _reach(parser, several=True)
    parser.add_argument("--once", action="store_true", help="once; so also with --json or without a terminal")
    parser.add_argument(
        "--interval",
        metavar="SECONDS",
        type=_seconds,
        default=INTERVAL_S,
        help="between two looks (%(default)s)",
    )


def _warm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", metavar="SESSION")
    _reach(parser)
    _what(parser)
    parser.add_argument("--prime", action="store_true", help="send model and instructions ahead")


def _release(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", metavar="SESSION")
    _reach(parser)


def _cancel(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", metavar="SESSION")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--turn", metavar="ID", default="", help="its id, as `trunkline sessions` shows it")
    which.add_argument("--turn-key", metavar="KEY", default="", help="the turn key that its caller gave it")
    _reach(parser)


def _health(parser: argparse.ArgumentParser) -> None:
    _reach(parser, several=True)


def _what(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default=MODEL, help="(%(default)s)")
    parser.add_argument(
        "--instructions", metavar="TEXT", default="", help="the system instructions for the model"
    )


def _reach(
    parser: argparse.ArgumentParser, *, several: bool = False, timeout: float | None = TIMEOUT_S
) -> None:
    """What all commands have. The address is a list where a command asks several replicas."""
    address = os.environ.get(ADDRESS) or DEFAULT_ADDRESS
    if several:
        parser.add_argument(
            "--address",
            metavar="HOST:PORT",
            action=_Addresses,
            default=[address],
            help=f"where a replica is ({address}); may be repeated",
        )
    else:
        parser.add_argument(
            "--address", metavar="HOST:PORT", default=address, help=f"where the service is ({address})"
        )
    parser.add_argument(
        "--token", default=os.environ.get(TOKEN), help=f"better in {TOKEN}: everybody sees a command line"
    )
    parser.add_argument("--tls", action="store_true", help="encrypted; the service must prove who it is")
    parser.add_argument("--ca", metavar="FILE", help="TLS: trust these authorities, not the system's (PEM)")
    parser.add_argument("--cert", metavar="FILE", help="TLS: the certificate that says who you are (PEM)")
    parser.add_argument("--key", metavar="FILE", help="TLS: the key of --cert (PEM)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, errors included")
    shown = "none" if timeout is None else f"{timeout:.0f}"
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=_seconds, default=timeout, help=f"of a call ({shown})"
    )


class _Addresses(argparse.Action):
    """The first one replaces the default, the others join it: "append" would keep the default."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: Any = None
    ) -> None:
        given = getattr(namespace, self.dest)
        setattr(namespace, self.dest, [values] if given is self.default else [*given, values])


def _seconds(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        raise argparse.ArgumentTypeError(f"{text}: must be more than zero")
    return value


def _tools(path: str) -> list[Tool]:
    try:
        found = [value for value in runpy.run_path(path).values() if isinstance(value, Tool)]
    except Exception as error:
        raise argparse.ArgumentTypeError(f"{path}: {type(error).__name__}: {error}") from error
    if not found:
        raise argparse.ArgumentTypeError(f"{path}: it has no tool: no function is marked @trunkline.tool")
    return found
