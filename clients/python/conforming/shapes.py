"""Convert events, errors and sessions to the JSON of the transcript."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from trunkline import (
    TOOL_CALL_KIND_CUSTOM,
    Compaction,
    Done,
    ItemProgress,
    Message,
    Part,
    Report,
    RunningTurn,
    Session,
    Start,
    TrunklineError,
    Usage,
)
from trunkline.gen.trunkline.v1.message_pb2 import Role

LONGEST = 200
OWN_WORDS = ("CANCELLED", "DEADLINE_EXCEEDED")
SENT = {True: "true", False: "false", None: "unknown"}
KINDS = {"tool_call": "call", "tool_result": "result", "upstream_item": "item"}

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


def progress(event: ItemProgress) -> Any:
    return {
        "index": event.content_index,
        "item_type": event.item_type,
        "event_type": event.event_type,
        "json": event.json != "",
    }


def details(event: Done) -> Any:
    return {
        "tier": event.service_tier,
        "usage": event.usage.details_json != "",
        "annotations": [_citation(one) for one in event.annotations],
        "logprobs": len(event.logprobs),
        "actions": [action.type for action in event.actions],
        "ignored": dict(sorted(event.report.ignored_events.items())),
    }


def kept(event: Done) -> Any:
    return {"attached": event.report.attached, "continuation": event.continuation != ""}


def compacted(compaction: Compaction, shown: Shown) -> Any:
    return {
        "messages": history(compaction.messages),
        "usage": usage(compaction.usage, shown),
        "response_id": compaction.response_id != "",
        "provider": compaction.provider,
        "created": compaction.created_at is not None,
    }


def turn(running: RunningTurn) -> Any:
    return {
        "turn_id": running.turn_id != "",
        "key": running.turn_key,
        "started": running.started_at is not None,
        "ended": running.ended,
        "sequence": running.last_sequence > 0,
    }


def _citation(annotation: Mapping[str, Any]) -> Any:
    return {"type": annotation["type"], "source": annotation.get("url") or annotation.get("file_id", "")}


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


def usage(tokens: Usage | None, shown: Shown) -> Any:
    if tokens is None or shown is masked:
        return None
    return {
        "input": tokens.input_tokens,
        "cached": tokens.cached_input_tokens,
        "written": tokens.cache_write_tokens,
        "output": tokens.output_tokens,
        "reasoning": tokens.reasoning_tokens,
        "total": tokens.total_tokens,
    }


def report(ran: Report) -> Any:
    return {
        "response_id": ran.response_id != "",
        "transport": ran.transport,
        "transport_reason": ran.transport_reason,
        "context": ran.context,
        "context_reason": ran.context_reason,
        "attempts": ran.attempts,
        "reused": ran.connection_reused,
        "saved": ran.bytes_saved > 0,
        "timed": ran.timings.total is not None,
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
            custom = call.kind == TOOL_CALL_KIND_CUSTOM
            key, text = ("custom", "input") if custom else ("call", "arguments")
            return {key: call.call_id, "name": call.name, text: shown(call.arguments)}
        case "upstream_item":
            item = one.upstream_item
            return {"item": item.type, "json": masked("") if shown is masked else item.json}
        case other:
            raise ValueError(f"no model says this: {other}")


def history(messages: Iterable[Message]) -> Any:
    return [
        f"{Role.Name(message.role).removeprefix('ROLE_').lower()}:{','.join(map(_kind, message.parts))}"
        for message in messages
    ]


def _kind(one: Part) -> str:
    kind = one.WhichOneof("part") or ""
    if kind == "tool_call" and one.tool_call.kind == TOOL_CALL_KIND_CUSTOM:
        return "custom"
    return "failed" if kind == "tool_result" and one.tool_result.is_error else KINDS.get(kind, kind)


def session(state: Session) -> Any:
    return {
        "session_id": state.session_id,
        "live": state.live,
        "line_state": state.line_state,
        "turns": state.turns,
        "incremental_turns": state.incremental_turns,
        "saved": state.bytes_saved > 0,
        "created": state.created_at is not None,
        "used": state.last_used_at is not None,
    }
