import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # annotated, but not marked so

import trunkline
from tests.unit.client.failing import details, error_info, retry_info, rpc_error
from trunkline import Report, Upstream, Usage, Violation
from trunkline.failures import error_from, read
from trunkline.gen.trunkline.v1 import completion_pb2 as pb

Code = grpc.StatusCode


def test_a_bare_unavailable_is_an_unknown_outcome():
    error = error_from(rpc_error(Code.UNAVAILABLE, "connection reset"))
    assert (error.reason, error.message) == ("UNAVAILABLE", "connection reset")
    assert (error.sent, error.retryable, error.unsent) == (None, False, False)
    assert str(error) == "UNAVAILABLE: connection reset"


def test_unavailable_with_our_error_info_is_a_promise():
    error = error_from(rpc_error(Code.UNAVAILABLE, "draining", error_info("SHUTTING_DOWN", sent="false")))
    assert (error.reason, error.sent, error.retryable, error.unsent) == ("SHUTTING_DOWN", False, True, True)


def test_the_same_without_the_word_sent():
    assert error_from(rpc_error(Code.UNAVAILABLE, "", error_info("CONNECT_FAILED"))).sent is False


def test_an_unavailable_that_was_sent_is_not_unsent():
    assert not error_from(rpc_error(Code.UNAVAILABLE, "", error_info("X", sent="true"))).unsent


def test_the_error_info_of_somebody_else_promises_nothing():
    error = error_from(rpc_error(Code.UNAVAILABLE, "", error_info("SHUTTING_DOWN", domain="envoy.io")))
    assert (error.reason, error.sent, error.retryable) == ("UNAVAILABLE", None, False)


def test_overloaded_says_when():
    status = rpc_error(
        Code.RESOURCE_EXHAUSTED, "busy", error_info("OVERLOADED", sent="false"), retry_info(1.5)
    )
    error = error_from(status)
    assert (error.retryable, error.retry_after, error.sent, error.unsent) == (True, 1.5, False, False)


def test_every_violation_is_reported():
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="messages[0].role", description="set it")
    bad.field_violations.add(field="model", description="required")
    error = error_from(rpc_error(Code.INVALID_ARGUMENT, "bad", error_info("INVALID_REQUEST"), bad))
    assert error.violations == (Violation("messages[0].role", "set it"), Violation("model", "required"))
    assert not error.retryable


def test_the_upstream_from_error_info():
    info = error_info(
        "UPSTREAM_AUTH",
        upstream_code="invalid_api_key",
        upstream_type="t",
        upstream_status="401",
        upstream_request_id="r",
        request_id="mine",
    )
    error = error_from(rpc_error(Code.FAILED_PRECONDITION, "", info))
    assert error.upstream == Upstream("invalid_api_key", "t", 401, "r")
    assert error.metadata["request_id"] == "mine"
    assert error_from(rpc_error(Code.INTERNAL, "", error_info("INTERNAL"))).upstream is None


def upstream_error():
    error = pb.Error(
        reason="RATE_LIMITED",
        message="slow down",
        retryable=True,
        upstream=pb.UpstreamError(code="rate_limit_exceeded", status=429),
        partial=trunkline.assistant("half"),
        usage=pb.Usage(input_tokens=4),
        report=pb.TurnReport(transport=pb.TRANSPORT_SSE),
    )
    error.retry_after.FromSeconds(2)
    return error


def test_the_event_and_the_status_are_one_error():
    status = rpc_error(
        Code.RESOURCE_EXHAUSTED, "short", error_info("RATE_LIMITED", sent="true"), retry_info(9)
    )
    error = error_from(status, upstream_error(), trunkline.assistant("gathered"))
    assert (error.reason, error.message, error.status) == (
        "RATE_LIMITED",
        "slow down",
        Code.RESOURCE_EXHAUSTED,
    )
    assert (error.retryable, error.retry_after, error.sent) == (True, 2.0, True)
    assert error.partial == trunkline.assistant("half")
    assert error.upstream == Upstream("rate_limit_exceeded", "", 429, "")
    assert error.usage == Usage(input_tokens=4)
    assert error.report == Report(transport="sse")


def test_an_event_alone_means_that_it_was_sent():
    assert error_from(rpc_error(Code.INTERNAL), upstream_error()).sent is True


def test_a_unary_call_has_the_same_error_as_a_detail():
    detail = upstream_error()
    detail.ClearField("partial")
    status = rpc_error(Code.RESOURCE_EXHAUSTED, "short", error_info("RATE_LIMITED", sent="true"), detail)
    error = error_from(status)
    assert (error.message, error.usage, error.partial) == ("slow down", Usage(input_tokens=4), None)


@pytest.mark.parametrize("broken", [b"\xff\xff", b"", details(trunkline.user("x"))])
def test_details_that_make_no_sense_are_passed_over(broken):
    error = read(Code.INTERNAL, "what it said", broken)
    assert (error.reason, error.message, error.sent) == ("INTERNAL", "what it said", None)


def test_what_was_gathered_is_better_than_nothing():
    gathered = trunkline.assistant("so far")
    assert error_from(rpc_error(Code.DEADLINE_EXCEEDED), None, gathered).partial == gathered


def test_repr():
    error = error_from(rpc_error(Code.UNAVAILABLE, "x"))
    assert repr(error) == "ConnectionFailedError(UNAVAILABLE, 'x', retryable=False, sent=None)"
    assert str(error_from(rpc_error(Code.CANCELLED))) == "CANCELLED"


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.INTERNAL, Code.UNKNOWN, Code.CANCELLED])
def test_a_status_without_a_word_of_the_service_is_a_lost_connection(code):
    assert error_from(rpc_error(code)).lost
    assert error_from(rpc_error(code, "", error_info("X", domain="envoy.io"))).lost
    assert not error_from(rpc_error(code, "", error_info("X"))).lost
    assert not error_from(rpc_error(code), pb.Error(reason="X")).lost


def test_a_deadline_is_no_lost_connection():
    assert not error_from(rpc_error(Code.DEADLINE_EXCEEDED)).lost
