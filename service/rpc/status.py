"""Convert failures to gRPC statuses, within the size that peers accept.

This module holds the table from reason to code. What a caller may do about a failure belongs to the reason
(`service.domain.failure_policy`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # annotated, not marked so
from grpc_status import rpc_status

from service.domain.errors import Reason, TurnError
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.rpc.convert.responses import duration_out, truncate

DOMAIN = "trunkline"

CODES: dict[Reason, grpc.StatusCode] = {
    Reason.INVALID_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.CONTEXT_LENGTH_EXCEEDED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    Reason.SESSION_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.TURN_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    Reason.TAKEN_OVER: grpc.StatusCode.ABORTED,
    Reason.CANCELLED: grpc.StatusCode.CANCELLED,
    Reason.UPSTREAM_AUTH: grpc.StatusCode.FAILED_PRECONDITION,
    Reason.RATE_LIMITED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.QUOTA_EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    Reason.CONNECT_FAILED: grpc.StatusCode.UNAVAILABLE,
    Reason.SHUTTING_DOWN: grpc.StatusCode.UNAVAILABLE,
    Reason.CHAIN_LOST: grpc.StatusCode.INTERNAL,
    Reason.CONTINUATION_REFUSED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.CONNECTION_EXPIRED: grpc.StatusCode.INTERNAL,
    Reason.ENCRYPTED_CONTENT_REFUSED: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.MESSAGE_TOO_BIG: grpc.StatusCode.INVALID_ARGUMENT,
    Reason.FRAME_REFUSED: grpc.StatusCode.INTERNAL,
    Reason.CLOSED_BY_POLICY: grpc.StatusCode.INTERNAL,
    Reason.CONNECTION_LOST: grpc.StatusCode.ABORTED,
    Reason.INTERRUPTED: grpc.StatusCode.ABORTED,
    Reason.UPSTREAM_ERROR: grpc.StatusCode.INTERNAL,
    Reason.PROTOCOL_ERROR: grpc.StatusCode.INTERNAL,
    Reason.TIMEOUT: grpc.StatusCode.DEADLINE_EXCEEDED,
    Reason.INTERNAL: grpc.StatusCode.INTERNAL,
}

MAX_STATUS_BYTES = 4096
MAX_TRAILER_BYTES = 7168
"""Of the trailers: details in base64 plus the message, percent-encoded; peers accept 8 KiB."""

LADDER = ((500, 20), (250, 20), (250, 10), (120, 10), (120, 5), (60, 3), (30, 1))
"""Characters of a text and number of violations: the first pair that fits is used; the last always does."""


def status_of(error: TurnError, facts: Mapping[str, str], detail: pb.Error | None = None) -> grpc.Status:
    """Return the status of an error. `facts` go into ErrorInfo; `detail` is for calls without a stream."""
    public = error.public()
    steps = (_status(public, facts, detail, characters, violations) for characters, violations in LADDER)
    return rpc_status.to_status(next(filter(_fits, steps)))


def _status(
    error: TurnError,
    facts: Mapping[str, str],
    detail: pb.Error | None,
    characters: int,
    violations: int,
) -> status_pb2.Status:
    number = cast(tuple[int, str], CODES[error.reason].value)[0]
    status = status_pb2.Status(code=number, message=truncate(error.message, characters))
    _attach(status, _error_info(error, facts, characters))
    if error.retry_after is not None:
        _attach(status, error_details_pb2.RetryInfo(retry_delay=duration_out(error.retry_after)))
    if error.violations:
        _attach(status, _bad_request(error, characters, violations))
    if detail is not None:
        _attach(status, _shortened(detail, characters))
    return status


def _attach(status: status_pb2.Status, detail: Message) -> None:
    status.details.add().Pack(detail)


def _error_info(error: TurnError, facts: Mapping[str, str], characters: int) -> error_details_pb2.ErrorInfo:
    metadata = {**facts, "limit": error.limit}
    if error.upstream is not None:
        metadata["upstream_code"] = error.upstream.code
        metadata["upstream_type"] = error.upstream.type
        metadata["upstream_status"] = str(error.upstream.status or "")
        metadata["upstream_request_id"] = error.upstream.request_id
    metadata = {name: truncate(value, min(characters, 128)) for name, value in metadata.items() if value}
    return error_details_pb2.ErrorInfo(reason=error.reason.value, domain=DOMAIN, metadata=metadata)


def _bad_request(error: TurnError, characters: int, violations: int) -> error_details_pb2.BadRequest:
    fields = [
        error_details_pb2.BadRequest.FieldViolation(
            field=truncate(violation.field, characters),
            description=truncate(violation.description, characters),
        )
        for violation in error.violations[:violations]
    ]
    return error_details_pb2.BadRequest(field_violations=fields)


def _shortened(detail: pb.Error, characters: int) -> pb.Error:
    short = pb.Error()
    short.CopyFrom(detail)
    short.ClearField("partial")
    short.message = truncate(detail.message, characters)
    short.report.response_id = truncate(detail.report.response_id, min(characters, 128))
    if detail.HasField("upstream"):
        for name in ("code", "type", "request_id"):
            setattr(short.upstream, name, truncate(getattr(detail.upstream, name), min(characters, 128)))
    return short


def _fits(status: status_pb2.Status) -> bool:
    size: int = status.ByteSize()
    encoded = (size + 2) // 3 * 4 + _percent_encoded(status.message)
    return size <= MAX_STATUS_BYTES and encoded <= MAX_TRAILER_BYTES


def _percent_encoded(message: str) -> int:
    """Return the bytes of the message in the header `grpc-message`."""
    return sum(1 if 0x20 <= byte <= 0x7E and byte != 0x25 else 3 for byte in message.encode())
