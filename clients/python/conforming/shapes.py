"""Events, errors and sessions as the JSON of the transcript.

Owns keys and their order, masks and digests. Must never print.
"""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from trunkline import Done, Message, Part, Report, Session, Start, TrunklineError, Usage
from trunkline.gen.trunkline.v1.message_pb2 import Role

LONGEST = 200
OWN_WORDS = ("CANCELLED", "DEADLINE_EXCEEDED")
SENT = {True: "true", False: "false", None: "unknown"}
KINDS = {"tool_call": "call", "tool_result": "result"}

Shown = Callable[[str], str]
"""How a text is printed."""


def whole(text: str) -> str:
    data = text.encode()
    if len(data) <= LONGEST:
        return text
    return f"<{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}>"


def masked(_text: str) -> str:
    return "<text>"


def start(event: Start) -> Any:
    return {
        "turn_id": event.turn_id != "",
        "model": event.model,
        "transport": event.transport,
        "context": event.context,
    }


def done(event: Done, shown: Shown) -> Any:
    return {
        "stop_reason": event.stop_reason,
        "model": event.model,
        "provider": event.provider,
        "created": event.created_at is not None,
        "parts": parts(event.message.parts, shown),
        "usage": usage(event.usage, shown),
        "report": report(event.report),
    }


def error(failed: TrunklineError, shown: Shown) -> Any:
    upstream, partial = failed.upstream, failed.partial
    return {
        "reason": failed.reason,
        "status": failed.status.value[0],
        "message": None if failed.reason in OWN_WORDS else failed.message,
        "retryable": failed.retryable,
        "retry_after": None if failed.retry_after is None else int(failed.retry_after + 0.5),
        "sent": SENT[failed.sent],
        "partial": parts(partial.parts, shown) if partial is not None and partial.parts else None,
        "upstream": upstream
        and {
            "code": upstream.code,
            "type": upstream.type,
            "status": upstream.status,
            "request_id": upstream.request_id != "",
        },
        "usage": usage(failed.usage, shown),
        "attempts": None if failed.report is None else failed.report.attempts,
        "violations": [
            {"field": violation.field, "description": violation.description}
            for violation in failed.violations
        ],
    }


def usage(told: Usage | None, shown: Shown) -> Any:
    if told is None or shown is masked:
        return None
    return {
        "input": told.input_tokens,
        "cached": told.cached_input_tokens,
        "written": told.cache_write_tokens,
        "output": told.output_tokens,
        "reasoning": told.reasoning_tokens,
        "total": told.total_tokens,
    }


def report(told: Report) -> Any:
    return {
        "response_id": told.response_id != "",
        "transport": told.transport,
        "transport_reason": told.transport_reason,
        "context": told.context,
        "context_reason": told.context_reason,
        "attempts": told.attempts,
        "reused": told.connection_reused,
        "saved": told.bytes_saved > 0,
        "timed": told.timings.total is not None,
    }


def parts(given: Iterable[Part], shown: Shown) -> Any:
    return [_part(one, shown) for one in given]


def _part(one: Part, shown: Shown) -> Any:
    match one.WhichOneof("part"):
        case "text":
            return {"text": shown(one.text.text), "phase": one.text.phase}
        case "reasoning":
            return {
                "reasoning": [shown(text) for text in one.reasoning.summary],
                "content": [shown(text) for text in one.reasoning.content],
                "encrypted": one.reasoning.encrypted_content != "",
            }
        case "refusal":
            return {"refusal": shown(one.refusal.text)}
        case "tool_call":
            call = one.tool_call
            return {"call": call.call_id, "name": call.name, "arguments": shown(call.arguments)}
        case other:
            raise ValueError(f"no model says this: {other}")


def history(messages: Iterable[Message]) -> Any:
    return [
        f"{Role.Name(message.role).removeprefix('ROLE_').lower()}:{','.join(map(_kind, message.parts))}"
        for message in messages
    ]


def _kind(one: Part) -> str:
    kind = one.WhichOneof("part") or ""
    return "failed" if kind == "tool_result" and one.tool_result.is_error else KINDS.get(kind, kind)


def session(told: Session) -> Any:
    return {
        "session_id": told.session_id,
        "live": told.live,
        "line_state": told.line_state,
        "turns": told.turns,
        "incremental_turns": told.incremental_turns,
        "saved": told.bytes_saved > 0,
        "created": told.created_at is not None,
        "used": told.last_used_at is not None,
    }
