"""Test the content of a status, and that it always fits into trailers."""

import base64
from typing import Any
from urllib.parse import quote

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from service.domain.errors import Reason, TurnError, UpstreamDetail, Violation
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.rpc.status import MAX_STATUS_BYTES, MAX_TRAILER_BYTES, status_of

PRINTABLE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
DETAILS = (error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo, error_details_pb2.BadRequest, pb.Error)


def rich(status):
    ((key, value),) = status.trailing_metadata
    assert key == "grpc-status-details-bin"
    return status_pb2.Status.FromString(value)


def details_of(status):
    """By type, in a dict: no kind of detail comes twice."""
    found = {}
    for packed in rich(status).details:
        (kind,) = [kind for kind in DETAILS if packed.Is(kind.DESCRIPTOR)]
        assert kind not in found
        found[kind] = kind()
        assert packed.Unpack(found[kind])
    return found


def test_the_barest_failure():
    status = status_of(TurnError(Reason.TIMEOUT, "no event for 30 s"), {})
    assert (status.code, status.details) == (grpc.StatusCode.DEADLINE_EXCEEDED, "no event for 30 s")
    assert (rich(status).code, rich(status).message) == (4, "no event for 30 s")
    (info,) = details_of(status).values()
    assert (info.reason, info.domain, dict(info.metadata)) == ("TIMEOUT", "trunkline", {})


def test_error_info_holds_upstream_details_and_facts():
    upstream = UpstreamDetail("rate_limit_exceeded", "requests", 429, "req_1")
    error = TurnError(Reason.RATE_LIMITED, "slow down", retry_after=1.5, upstream=upstream)
    details = details_of(status_of(error, {"sent": "true", "request_id": ""}))
    assert dict(details[error_details_pb2.ErrorInfo].metadata) == {
        "sent": "true",
        "upstream_code": "rate_limit_exceeded",
        "upstream_type": "requests",
        "upstream_status": "429",
        "upstream_request_id": "req_1",
    }
    assert details[error_details_pb2.RetryInfo].retry_delay.ToMilliseconds() == 1500


def test_a_limit_of_the_tenant_is_named_and_one_of_the_upstream_is_not():
    ours = TurnError(Reason.RATE_LIMITED, "used up", retry_after=2.5, limit="tokens_per_day")
    details = details_of(status_of(ours, {"sent": "false"}))
    assert dict(details[error_details_pb2.ErrorInfo].metadata) == {
        "sent": "false",
        "limit": "tokens_per_day",
    }
    assert details[error_details_pb2.RetryInfo].retry_delay.ToMilliseconds() == 2500


def test_absent_upstream_details_are_left_out():
    error = TurnError(Reason.UPSTREAM_ERROR, "oops", upstream=UpstreamDetail(code="server_error"))
    assert dict(details_of(status_of(error, {}))[error_details_pb2.ErrorInfo].metadata) == {
        "upstream_code": "server_error"
    }


def test_an_internal_reason_is_shown_by_its_public_name():
    status = status_of(TurnError(Reason.CHAIN_LOST, "lost"), {})
    assert status.code is grpc.StatusCode.INTERNAL
    assert details_of(status)[error_details_pb2.ErrorInfo].reason == "PROTOCOL_ERROR"


def test_violations():
    violations = tuple(Violation(f"messages[{i}].role", "is not set") for i in range(20))
    status = status_of(TurnError(Reason.INVALID_REQUEST, "20 things", violations=violations), {})
    reported = details_of(status)[error_details_pb2.BadRequest].field_violations
    assert [(one.field, one.description) for one in reported] == [
        (v.field, v.description) for v in violations
    ]


def test_a_unary_error_omits_the_partial_message():
    rest: dict[str, Any] = {
        "reason": "TIMEOUT",
        "usage": {"total_tokens": 3},
        "report": {"response_id": "resp_1"},
    }
    error = pb.Error(message="late", partial={"role": "ROLE_ASSISTANT"}, **rest)
    reported = details_of(status_of(TurnError(Reason.TIMEOUT, "late"), {}, error))[pb.Error]
    assert reported == pb.Error(message="late", **rest)
    assert error.HasField("partial")  # the caller's own is left as it was


TEXTS = {"ascii": "x", "percent": "%", "control": "\x00", "two bytes": "é", "three": "漢", "four": "😀"}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
@pytest.mark.parametrize("length", [1, 30, 60, 120, 250, 500, 100_000])
@pytest.mark.parametrize("violations", [0, 1, 20, 50])
@pytest.mark.parametrize("unary", [False, True], ids=["stream", "unary"])
def test_a_status_always_fits(text, length, violations, unary):
    long = text * length
    error = TurnError(
        Reason.INVALID_REQUEST,
        long,
        retry_after=1e300,
        upstream=UpstreamDetail(long, long, 4294967, long),
        violations=(Violation(long, long),) * violations,
    )
    names = ("sent", "events_emitted", "request_id", "turn_id", "transport_reason", "attempts")
    detail = None
    if unary:
        said = {"code": long, "type": long, "status": 400, "request_id": long}
        detail = pb.Error(
            reason="INVALID_REQUEST",
            message=long,
            upstream=said,
            partial={"parts": [{"text": {"text": long}}]},
            report={"response_id": long, "transport_reason": "connection_expired"},
        )
    status = status_of(error, dict.fromkeys(names, long), detail)
    packed = rich(status).SerializeToString()
    assert len(packed) <= MAX_STATUS_BYTES
    assert len(base64.b64encode(packed)) + len(quote(status.details, safe=PRINTABLE)) <= MAX_TRAILER_BYTES
    assert (error_details_pb2.BadRequest in details_of(status)) is (violations > 0)
    assert len(status.details) >= min(length, 30)
    assert rich(status).message == status.details
    assert status_of(error, dict.fromkeys(names, long), detail) == status


def test_a_truncated_status_text_ends_with_an_ellipsis():
    status = status_of(TurnError(Reason.UPSTREAM_ERROR, "x" * 501), {})
    assert status.details == "x" * 499 + "…"


def test_a_lone_surrogate_is_replaced_in_a_status():
    assert status_of(TurnError(Reason.UPSTREAM_ERROR, "half \ud83d"), {}).details == "half ?"
