"""Convert requests of the contract to those of the domain.

A function returns a valid value or raises INVALID_REQUEST that names every invalid field. A violation that
makes later checks meaningless is reported alone.
"""

from __future__ import annotations

import base64
import binascii

from service.domain.limits import (
    MAX_CACHE_KEY,
    MAX_CONTINUATION,
    MAX_MODEL,
    MAX_OPTION,
    MAX_PAGE_TOKEN,
    MAX_REQUEST_ID,
)
from service.domain.messages import CompletionRequest, Options
from service.gen.trunkline.v1 import completion_pb2, session_pb2
from service.rpc.convert.messages import read_messages
from service.rpc.convert.options import DEFAULT, check_json, read_options, read_tools
from service.rpc.convert.validate import SESSION_ID, Violations

DEFAULT_PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000


def read_completion(
    request: completion_pb2.StreamCompletionRequest | completion_pb2.CompleteRequest,
    max_messages: int,
    size: int,
) -> CompletionRequest:
    """Read a turn. `size`: the bytes of the request as received."""
    found = Violations()
    _check_names(found, request)
    found.at_most("continuation", request.continuation, MAX_CONTINUATION)
    messages = read_messages(found, request.messages, max_messages)
    tools = read_tools(found, request.tools)
    options = read_options(found, request.options, tools)
    _check_key(found, request)
    check_json(found, tools, options)
    found.check()
    return CompletionRequest(
        session_id=request.session_id,
        model=request.model,
        messages=messages,
        instructions=request.instructions,
        tools=tools,
        options=options,
        request_id=request.request_id,
        size=size,
        turn_key=request.turn_key,
        after_sequence=request.after_sequence,
        continuation=request.continuation,
    )


def read_compaction(
    request: completion_pb2.CompactRequest, max_messages: int, size: int
) -> CompletionRequest:
    """Read what is to be compacted, as a turn with the few options that it has. `size`: as received."""
    found = Violations()
    _check_names(found, request)
    found.at_most("prompt_cache_key", request.prompt_cache_key, MAX_CACHE_KEY)
    found.at_most("service_tier", request.service_tier, MAX_OPTION)
    messages = read_messages(found, request.messages, max_messages)
    found.check()
    return CompletionRequest(
        session_id=request.session_id,
        model=request.model,
        messages=messages,
        instructions=request.instructions,
        options=Options(
            store=request.store if request.HasField("store") else None,
            prompt_cache_key=request.prompt_cache_key,
            service_tier=request.service_tier,
        ),
        request_id=request.request_id,
        size=size,
    )


def _check_names(
    found: Violations,
    request: completion_pb2.StreamCompletionRequest
    | completion_pb2.CompleteRequest
    | completion_pb2.CompactRequest,
) -> None:
    found.session_id(request.session_id)
    found.required("model", request.model)
    found.at_most("model", request.model, MAX_MODEL)
    found.at_most("request_id", request.request_id, MAX_REQUEST_ID)


def _check_key(
    found: Violations, request: completion_pb2.StreamCompletionRequest | completion_pb2.CompleteRequest
) -> None:
    """Check the turn key, and what only a turn with one may ask for."""
    if request.turn_key and not SESSION_ID.fullmatch(request.turn_key):
        found.add("turn_key", "must be 1 to 128 characters of A-Z a-z 0-9 _ . : -")
    if request.after_sequence < 0:
        found.add("after_sequence", "must not be negative")
    if not request.turn_key:
        asked = {
            "after_sequence": request.after_sequence > 0,
            "options.linger": request.options.HasField("linger"),
        }
        for field in (name for name, given in asked.items() if given):
            found.add(field, "needs a turn_key")


def check_linger(seconds: float, most: float) -> None:
    """Raise INVALID_REQUEST when a turn asks to live longer without its caller than the setting allows."""
    found = Violations()
    if seconds > most:
        allowed = f"at most {most:g} s are allowed (TRUNKLINE_MAX_LINGER_S)"
        found.add("options.linger", f"is {seconds:g} s; {allowed}")
    found.check()


def read_prime(request: session_pb2.WarmSessionRequest, size: int) -> CompletionRequest | None:
    """Read what a connection is primed with: a turn without messages. None: it is only opened."""
    found = Violations()
    found.session_id(request.session_id)
    found.at_most("model", request.model, MAX_MODEL)
    tools = read_tools(found, request.tools)
    check_json(found, tools, DEFAULT)
    if request.prime and not request.model:
        found.add("model", "is required with prime")
    found.check()
    if not request.prime:
        return None
    return CompletionRequest(
        session_id=request.session_id,
        model=request.model,
        messages=(),
        instructions=request.instructions,
        tools=tools,
        size=size,
    )


def read_session_id(request: session_pb2.GetSessionRequest | session_pb2.ReleaseSessionRequest) -> str:
    found = Violations()
    found.session_id(request.session_id)
    found.check()
    return request.session_id


def read_turn_name(request: session_pb2.CancelTurnRequest) -> tuple[str, dict[str, str]]:
    """Return the id of the session, and the turn's id or key by the name of its field."""
    found = Violations()
    found.session_id(request.session_id)
    field = request.WhichOneof("turn")
    if field is None:
        found.add("turn", "is not set; set one of turn_id and turn_key")
        found.check()
    assert field is not None, "that was a violation"
    name: str = getattr(request, field)
    if not SESSION_ID.fullmatch(name):
        found.add(field, "must be 1 to 128 characters of A-Z a-z 0-9 _ . : -")
    found.check()
    return request.session_id, {field: name}


def read_page(request: session_pb2.ListSessionsRequest) -> tuple[str, int]:
    """Return the session id after which the page begins, and its size."""
    found = Violations()
    if request.page_size < 0:
        found.add("page_size", "must not be negative")
    found.at_most("page_token", request.page_token, MAX_PAGE_TOKEN)
    found.check()
    after = _decoded(request.page_token)
    if after is None:
        found.add("page_token", "is not a token of this service; take it from next_page_token")
    found.check()
    return after or "", min(request.page_size or DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)


def page_token(last: str) -> str:
    """Return the token of the page that begins after the session `last`."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def _decoded(token: str) -> str | None:
    try:
        last = base64.b64decode(token, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    return last if not last or SESSION_ID.fullmatch(last) else None
