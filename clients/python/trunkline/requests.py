"""Build requests: of a turn, streamed or unary, of a compaction, of a warm-up, of the end of a turn.

Nothing is validated here: the service does, names the field, and its answer is the same in every language.
"""

import uuid
from collections.abc import Iterable
from typing import TypeVar

from trunkline.gen.trunkline.v1.completion_pb2 import (
    CompactRequest,
    CompleteRequest,
    StreamCompletionRequest,
)
from trunkline.gen.trunkline.v1.message_pb2 import Message
from trunkline.gen.trunkline.v1.session_pb2 import CancelTurnRequest, WarmSessionRequest
from trunkline.options import Options, completion_options
from trunkline.tools import Tools, as_tools

R = TypeVar("R", StreamCompletionRequest, CompleteRequest)


def turn_request(
    kind: type[R],
    *,
    session_id: str,
    model: str,
    messages: Iterable[Message],
    instructions: str,
    tools: Tools,
    request_id: str,
    options: Options,
    turn_key: str = "",
    after_sequence: int = 0,
    continuation: str = "",
) -> R:
    """A turn that is to be resumed gets a key, where the caller gave none."""
    if options.get("resume") and not turn_key:
        turn_key = uuid.uuid4().hex
    return kind(
        session_id=session_id,
        model=model,
        messages=messages,
        instructions=instructions,
        tools=[tool.to_proto() for tool in as_tools(tools)],
        options=completion_options(options),
        request_id=request_id,
        turn_key=turn_key,
        after_sequence=after_sequence,
        continuation=continuation,
    )


def compact_request(
    *,
    session_id: str,
    model: str,
    messages: Iterable[Message],
    instructions: str,
    request_id: str,
    store: bool | None,
    prompt_cache_key: str | None,
    service_tier: str | None,
) -> CompactRequest:
    return CompactRequest(
        session_id=session_id,
        model=model,
        instructions=instructions,
        messages=messages,
        request_id=request_id,
        store=store,
        prompt_cache_key=prompt_cache_key,
        service_tier=service_tier,
    )


def cancel_request(session_id: str, *, turn_id: str = "", turn_key: str = "") -> CancelTurnRequest:
    if bool(turn_id) == bool(turn_key):
        # Of a oneof the last one would silently win.
        raise ValueError("give either turn_id or turn_key")
    return CancelTurnRequest(session_id=session_id, turn_id=turn_id or None, turn_key=turn_key or None)


def warm_request(
    session_id: str, model: str, instructions: str, tools: Tools, prime: bool
) -> WarmSessionRequest:
    return WarmSessionRequest(
        session_id=session_id,
        model=model,
        instructions=instructions,
        tools=[tool.to_proto() for tool in as_tools(tools)],
        prime=prime,
    )
