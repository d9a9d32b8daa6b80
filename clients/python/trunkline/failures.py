"""Turn a failed call into a `TrunklineError` of its class.

Reads the status, its details, and the `error` event if there was one. Where they disagree the event wins,
since it carries more. Unknown details, and those that a proxy made up, are ignored.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as AnyMessage
from google.rpc.error_details_pb2 import (  # type: ignore[import-untyped]  # annotated, but not marked so
    BadRequest,
    ErrorInfo,
    RetryInfo,
)
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # as above

from trunkline.errors import TrunklineError, Upstream, Violation, class_of
from trunkline.gen.trunkline.v1 import completion_pb2 as pb
from trunkline.gen.trunkline.v1.message_pb2 import Message
from trunkline.reports import report_from, seconds, usage_from

DOMAIN = "trunkline"
DETAILS_KEY = "grpc-status-details-bin"
M = TypeVar("M", bound=AnyMessage)


def error_from(
    call: grpc.RpcError, event: pb.Error | None = None, partial: Message | None = None
) -> TrunklineError:
    """Both faces of grpc, blocking and asyncio, raise an error with code, details and trailers."""
    assert isinstance(call, grpc.Call | grpc.aio.AioRpcError)
    trailers = call.trailing_metadata() or ()
    return read(call.code(), call.details() or "", _value(trailers, DETAILS_KEY), event, partial)


def read(
    status: grpc.StatusCode,
    message: str,
    details: bytes = b"",
    event: pb.Error | None = None,
    partial: Message | None = None,
) -> TrunklineError:
    """`partial` is what the client has gathered; what the service reports takes precedence."""
    found = _parse(details)
    reported = event or found.error or pb.Error()
    ours = found.ours or event is not None or found.error is not None
    reason = reported.reason or found.info.reason or status.name
    return class_of(reason, status, reported=ours)(
        reason,
        reported.message or message,
        status=status,
        retryable=reported.retryable if reported.reason else _says_later(status, found),
        retry_after=_retry_after(reported, found),
        sent=_sent(status, found, event),
        partial=reported.partial if reported.HasField("partial") else partial,
        upstream=_upstream(reported, found.info),
        usage=usage_from(reported.usage) if reported.HasField("usage") else None,
        report=report_from(reported.report) if reported.HasField("report") else None,
        violations=tuple(Violation(bad.field, bad.description) for bad in found.bad.field_violations),
        metadata=dict(found.info.metadata),
        reported=ours,
    )


@dataclass(frozen=True, slots=True)
class _Details:
    """`info` is empty unless it is the service's own: other domains may use the same reasons."""

    info: ErrorInfo = field(default_factory=ErrorInfo)
    bad: BadRequest = field(default_factory=BadRequest)
    retry: RetryInfo | None = None
    error: pb.Error | None = None

    @property
    def ours(self) -> bool:
        return bool(self.info.domain == DOMAIN)


def _parse(details: bytes) -> _Details:
    try:
        packed = Status.FromString(details).details
        info = _find(packed, ErrorInfo)
        return _Details(
            info if info is not None and info.domain == DOMAIN else ErrorInfo(),
            _find(packed, BadRequest) or BadRequest(),
            _find(packed, RetryInfo),
            _find(packed, pb.Error),
        )
    except DecodeError:
        return _Details()  # the status itself still stands


def _find(packed: Iterable[Packed], kind: type[M]) -> M | None:
    for detail in packed:
        message = kind()
        if detail.Unpack(message):
            return message
    return None


def _value(trailers: Iterable[Any], wanted: str) -> bytes:
    return next((value for key, value in trailers if key == wanted and isinstance(value, bytes)), b"")


def _says_later(status: grpc.StatusCode, found: _Details) -> bool:
    """Whether a status that came alone invites another try: these are its two ways of doing so."""
    return found.ours and (status is grpc.StatusCode.UNAVAILABLE or found.retry is not None)


def _sent(status: grpc.StatusCode, found: _Details, event: pb.Error | None) -> bool | None:
    said = found.info.metadata.get("sent", "")
    if said in ("true", "false"):
        return bool(said == "true")
    if event is not None:
        return True  # it comes once a turn is dispatched, and only then
    return False if found.ours and status is grpc.StatusCode.UNAVAILABLE else None


def _retry_after(reported: pb.Error, found: _Details) -> float | None:
    if reported.HasField("retry_after"):
        return seconds(reported.retry_after)
    return seconds(found.retry.retry_delay) if found.retry is not None else None


def _upstream(reported: pb.Error, info: ErrorInfo) -> Upstream | None:
    if reported.HasField("upstream"):
        said = reported.upstream
        return Upstream(said.code, said.type, said.status, said.request_id)
    get = info.metadata.get
    status = get("upstream_status", "")
    upstream = Upstream(
        code=get("upstream_code", ""),
        type=get("upstream_type", ""),
        status=int(status) if status.isdecimal() else 0,
        request_id=get("upstream_request_id", ""),
    )
    return upstream if upstream != Upstream() else None
