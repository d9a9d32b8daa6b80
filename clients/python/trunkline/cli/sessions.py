"""`trunkline sessions`: what the replicas remember, once or as a live table.

All addresses are asked at once. One that does not answer is shown as a row, and does not end the table.
"""

import asyncio
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager

from trunkline.cli.exits import OK, UNAVAILABLE, code_of
from trunkline.cli.reach import connect
from trunkline.cli.records import error_record, session_record
from trunkline.cli.replicas import ReplicaFinder
from trunkline.cli.table import Replica, heading_and_rows, problems, summary
from trunkline.cli.terminal import Terminal

# The terminal's second screen, without a cursor; what stood on the first one comes back after it.
ENTER, LEAVE = "\033[?1049h\033[?25l", "\033[?25h\033[?1049l"
HOME, END_OF_LINE, END_OF_SCREEN = "\033[H", "\033[K", "\033[J"


def sessions(given: Namespace, terminal: Terminal) -> int:
    if given.once or given.json or not terminal.out.isatty():
        return asyncio.run(_once(given, terminal))
    return asyncio.run(_live(given, terminal))


async def _once(given: Namespace, terminal: Terminal) -> int:
    async with AsyncExitStack() as stack:
        replicas = await _look(await _finders(given, stack))
    if given.json:
        _records(replicas, terminal)
    else:
        _print(replicas, terminal)
    codes = [OK if replica.error is None else code_of(replica.error) for replica in replicas]
    return UNAVAILABLE if UNAVAILABLE in codes else max(codes)


async def _live(given: Namespace, terminal: Terminal) -> int:
    """Ends with Ctrl-C; then the last picture stays."""
    replicas: list[Replica] = []
    try:
        with _second_screen(terminal):
            async with AsyncExitStack() as stack:
                finders = await _finders(given, stack)
                while True:
                    replicas = await _look(finders)
                    _draw(replicas, terminal)
                    await asyncio.sleep(given.interval)
    finally:
        if replicas:
            _print(replicas, terminal)


async def _finders(given: Namespace, stack: AsyncExitStack) -> list[ReplicaFinder]:
    return [
        ReplicaFinder(await stack.enter_async_context(connect(given, address))) for address in given.address
    ]


async def _look(finders: Sequence[ReplicaFinder]) -> list[Replica]:
    looks = await asyncio.gather(*(finder.look() for finder in finders))
    return [replica for look in looks for replica in look]


def _records(replicas: Sequence[Replica], terminal: Terminal) -> None:
    for replica in replicas:
        for session in replica.sessions:
            terminal.record(session_record(session, address=replica.address, replica=replica.name))
        if replica.error is not None:
            terminal.record(error_record(replica.error, address=replica.address))


def _print(replicas: Sequence[Replica], terminal: Terminal) -> None:
    heading, *rows = heading_and_rows(replicas, terminal.columns if terminal.out.isatty() else None)
    terminal.say(heading, "bold")
    for row in rows:
        terminal.say(row)
    terminal.note(summary(replicas), "dim")
    for problem in problems(replicas):
        terminal.note(problem, "red")


def _draw(replicas: Sequence[Replica], terminal: Terminal) -> None:
    """One screen full, written at once: it does not flicker."""
    width, height = terminal.columns, terminal.rows
    heading, *rows = heading_and_rows(replicas, width)
    below = [(problem, "red") for problem in problems(replicas)] + [("Ctrl-C leaves", "dim")]
    room = max(0, height - len(below) - 4)
    if len(rows) > room:
        hidden = len(rows) - max(0, room - 1)
        rows = [*rows[: max(0, room - 1)], f"… and {hidden} more"]
    lines = [
        (summary(replicas), "dim"),
        ("", ""),
        (heading, "bold"),
        *((row, "") for row in rows),
        ("", ""),
        *below,
    ]
    painted = [
        terminal.paint(terminal.out, line[:width], style) + END_OF_LINE for line, style in lines[:height]
    ]
    terminal.raw(HOME + "\r\n".join(painted) + END_OF_SCREEN)


@contextmanager
def _second_screen(terminal: Terminal) -> Iterator[None]:
    terminal.raw(ENTER)
    try:
        yield
    finally:
        terminal.raw(LEAVE)
