"""Convert events, sessions and errors to JSON, for scripts.

Every record has a `type`. Scripts rely on the keys.
"""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from google.protobuf.json_format import MessageToDict

from trunkline.errors import TrunklineError
from trunkline.events import Done, Event
from trunkline.gen.trunkline.v1.message_pb2 import Message
from trunkline.sessions import Session

Record = dict[str, Any]


def event_record(event: Event) -> Record:
    if not isinstance(event, Done):
        return {"type": event.kind} | asdict(event)
    return {
        "type": event.kind,
        "text": event.text,
        "refusal": event.refusal,
        "stop_reason": event.stop_reason,
        "model": event.model,
        "provider": event.provider,
        "service_tier": event.service_tier,
        "continuation": event.continuation,
        "created_at": _time(event.created_at),
        "usage": asdict(event.usage),
        "report": asdict(event.report),
        "message": _message(event.message),
    }


def tool_results_record(message: Message) -> Record:
    return {"type": "tool_results", "message": _message(message)}


def session_record(session: Session, **where: str) -> Record:
    record = {"type": "session"} | where | asdict(session)
    turns = [turn | {"started_at": _time(turn["started_at"])} for turn in record["running_turns"]]
    times = {key: _time(record[key]) for key in ("created_at", "last_used_at")}
    return record | times | {"running_turns": turns}


def error_record(error: TrunklineError, **where: str) -> Record:
    return {
        "type": "error",
        **where,
        "reason": error.reason,
        "message": error.message,
        "status": error.status.name,
        "retryable": error.retryable,
        "retry_after": error.retry_after,
        "sent": error.sent,
        "partial": None if error.partial is None else _message(error.partial),
        "upstream": None if error.upstream is None else asdict(error.upstream),
        "usage": None if error.usage is None else asdict(error.usage),
        "report": None if error.report is None else asdict(error.report),
        "violations": [asdict(violation) for violation in error.violations],
    }


def _message(message: Message) -> Record:
    return dict(MessageToDict(message, preserving_proto_field_name=True))


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
