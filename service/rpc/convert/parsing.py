"""Parse raw bytes to a message of the contract.

A large request is scanned before protobuf sees it (`service.rpc.convert.scan`) and parsed in a thread. A
small one is parsed at once, because that costs less than passing it to a thread.
"""

from __future__ import annotations

from functools import partial
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from service.domain.errors import Reason, TurnError, Violation
from service.domain.limits import LARGE_BYTES, MAX_REQUEST_ID, MAX_SESSION_CALL_BYTES
from service.gen.trunkline.v1 import completion_pb2, session_pb2
from service.rpc.convert.scan import check_shape
from service.rpc.convert.validate import Violations
from service.workers import aside

_Kind = TypeVar("_Kind", bound=Message)

_SMALL = (
    session_pb2.GetSessionRequest,
    session_pb2.ListSessionsRequest,
    session_pb2.ReleaseSessionRequest,
    session_pb2.CancelTurnRequest,
)


_WITH_REQUEST_ID = (
    completion_pb2.StreamCompletionRequest,
    completion_pb2.CompleteRequest,
    completion_pb2.CompactRequest,
)


async def parse(kind: type[_Kind], raw: bytes, *, max_bytes: int, max_messages: int) -> _Kind:
    """Parse a message. Raises INVALID_REQUEST when it is malformed or exceeds a bound.

    Cancellation: a thread may continue with it for a moment.
    """
    most = min(max_bytes, MAX_SESSION_CALL_BYTES) if issubclass(kind, _SMALL) else max_bytes
    if LARGE_BYTES < len(raw) <= most:
        return await aside(partial(_checked, kind, raw, max_messages))
    return parse_small(kind, raw, most)


def parse_small(kind: type[_Kind], raw: bytes, max_bytes: int) -> _Kind:
    """Parse a message at once. Raises INVALID_REQUEST."""
    if len(raw) > max_bytes:
        raise _refused("request", f"has {len(raw)} bytes; at most {max_bytes} are allowed")
    return _parsed(kind, raw)


def _checked(kind: type[_Kind], raw: bytes, max_messages: int) -> _Kind:
    check_shape(raw, kind.DESCRIPTOR.full_name, max_messages)
    message = _parsed(kind, raw)
    if isinstance(message, _WITH_REQUEST_ID):
        # The one field that is read in the event loop.
        found = Violations()
        found.at_most("request_id", message.request_id, MAX_REQUEST_ID)
        found.check()
    return message


def _parsed(kind: type[_Kind], raw: bytes) -> _Kind:
    try:
        return kind.FromString(raw)
    except DecodeError as error:
        raise _refused("request", "is not a message of this kind; its bytes cannot be parsed") from error


def _refused(field: str, description: str) -> TurnError:
    return TurnError(
        Reason.INVALID_REQUEST, f"{field}: {description}", violations=(Violation(field, description),)
    )
