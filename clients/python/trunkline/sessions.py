"""What the service remembers of conversations: `Session`, its `RunningTurn`s, and `SessionPage`.

A session is a cache of one replica; the conversation is the caller's.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from trunkline.gen.trunkline.v1 import session_pb2 as pb
from trunkline.reports import enum_word


@dataclass(frozen=True, slots=True)
class RunningTurn:
    """A turn that runs, or that has `ended` and is kept for its caller.

    `turn_id` is empty while it waits for a place, `turn_key` where it has none. `attached`: it has a reader.
    """

    turn_id: str
    turn_key: str
    started_at: datetime | None
    attached: bool
    ended: bool
    last_sequence: int


@dataclass(frozen=True, slots=True)
class Session:
    """`line_state` is "none", "dialing", "idle" or "busy"; `live` says that a line is open.

    `running_turns` stand in the order in which they began.
    """

    session_id: str
    live: bool
    line_state: str
    turns: int
    incremental_turns: int
    bytes_saved: int
    created_at: datetime | None
    last_used_at: datetime | None
    running_turns: tuple[RunningTurn, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionPage:
    """A page of the caller's sessions on one replica. No `next_page_token`: the last page."""

    sessions: tuple[Session, ...]
    next_page_token: str
    replica: str


def session_from(message: pb.Session) -> Session:
    return Session(
        session_id=message.session_id,
        live=message.live,
        line_state=enum_word(pb.LineState, "LINE_STATE_", message.line_state),
        turns=message.turns,
        incremental_turns=message.incremental_turns,
        bytes_saved=message.bytes_saved,
        created_at=message.created_at.ToDatetime(UTC) if message.HasField("created_at") else None,
        last_used_at=message.last_used_at.ToDatetime(UTC) if message.HasField("last_used_at") else None,
        running_turns=tuple(_running(turn) for turn in message.running_turns),
    )


def page_from(message: pb.ListSessionsResponse) -> SessionPage:
    sessions = tuple(session_from(session) for session in message.sessions)
    return SessionPage(sessions, message.next_page_token, message.replica)


def _running(message: pb.SessionTurn) -> RunningTurn:
    return RunningTurn(
        turn_id=message.turn_id,
        turn_key=message.turn_key,
        started_at=message.started_at.ToDatetime(UTC) if message.HasField("started_at") else None,
        attached=message.attached,
        ended=message.ended,
        last_sequence=message.last_sequence,
    )
