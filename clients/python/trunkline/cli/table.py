"""Format the sessions of all replicas as a table."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from trunkline.cli.words import rate, size, turn_line
from trunkline.errors import TrunklineError
from trunkline.sessions import Session

HEADING = ("SESSION", "REPLICA", "LINE", "STATE", "TURNS", "INCREMENTAL", "SAVED")
NUMBERS = range(4, 7)
"""The columns that stand on the right."""


@dataclass(frozen=True, slots=True)
class Replica:
    """What one replica said. `sessions` is empty where it failed."""

    address: str
    name: str = ""
    sessions: tuple[Session, ...] = ()
    error: TrunklineError | None = None


def heading_and_rows(replicas: Sequence[Replica], width: int | None = None) -> list[str]:
    """Fitted to a width by cutting session ids; None: as wide as it is. Below a session stand its turns."""
    labels = _labels(replicas)
    found = [
        (_cells(session, label), [f"  {turn_line(turn)}" for turn in session.running_turns])
        for replica, label in zip(replicas, labels, strict=True)
        for session in replica.sessions
    ]
    found.sort()
    rows = [HEADING, *(cells for cells, _ in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if width is not None:
        spare = width - sum(widths[1:]) - 2 * (len(widths) - 1)
        widths[0] = min(widths[0], max(spare, len(HEADING[0])))
    lines = [_line(HEADING, widths)]
    for cells, turns in found:
        lines += [_line(cells, widths), *turns]
    return [line[:width] for line in lines]


def summary(replicas: Sequence[Replica]) -> str:
    answered = [replica for replica in replicas if replica.error is None]
    sessions = [session for replica in answered for session in replica.sessions]
    turns = sum(session.turns for session in sessions)
    incremental = sum(session.incremental_turns for session in sessions)
    saved = sum(session.bytes_saved for session in sessions)
    words = [f"{_counted(len(sessions), 'session')} on {_counted(len(answered), 'replica')}"]
    if turns:
        words += [f"{incremental} of {_counted(turns, 'turn')} incremental ({rate(incremental, turns)})"]
        words += [f"{size(saved)} saved"]
    return " · ".join(words)


def problems(replicas: Iterable[Replica]) -> list[str]:
    return [f"{replica.address}: {replica.error}" for replica in replicas if replica.error is not None]


def _labels(replicas: Sequence[Replica]) -> list[str]:
    """Its name; its address where it has none, or where another one has the same."""
    names = Counter(replica.name for replica in replicas)
    return [
        replica.name if replica.name and names[replica.name] == 1 else replica.address for replica in replicas
    ]


def _cells(session: Session, label: str) -> tuple[str, ...]:
    return (
        session.session_id,
        label,
        "open" if session.live else "-",
        session.line_state or "-",
        str(session.turns),
        rate(session.incremental_turns, session.turns),
        size(session.bytes_saved),
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if column in NUMBERS else _cut(cell, width).ljust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
