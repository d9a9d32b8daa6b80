import asyncio

import pytest
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, SpanKind, StatusCode, TraceFlags

from service.domain.errors import Reason, TurnError
from service.domain.report import Peer
from service.telemetry import names
from service.telemetry.propagation import context_of
from service.telemetry.telemetry import OFF, Limit
from tests.watching import watching

ABOVE = SpanContext(7, 8, False, TraceFlags(TraceFlags.SAMPLED))


@pytest.mark.parametrize(
    ("error", "result"),
    [(TurnError(Reason.CONNECT_FAILED, "s3cret"), "CONNECT_FAILED"), (asyncio.CancelledError(), "CANCELLED")],
)
def test_a_dial_that_failed_is_a_span_with_its_reason(error, result):
    with watching() as seen:
        with pytest.raises(type(error)), seen.telemetry.dialing(None):
            raise error
        span = seen.one(names.SPAN_DIAL)
        assert seen.count(names.LINE_DIALS, result=result) == 1
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[names.ERROR_TYPE] == result
    assert "s3cret" not in span.to_json()


def test_a_dial_is_a_span_with_the_upstreams_address():
    with watching(upstream=Peer("", "host", 443)) as seen:
        with seen.telemetry.dialing(context_of(ABOVE)) as dial:
            pass
        span = seen.one(names.SPAN_DIAL)
        assert seen.count(names.LINE_DIALS, result="ok") == 1
    assert (span.attributes[names.SERVER_ADDRESS], span.attributes[names.SERVER_PORT]) == ("host", 443)
    assert (span.context, span.parent, span.kind) == (dial, ABOVE, SpanKind.CLIENT)


def test_the_wall_clock_cannot_reverse_a_dial(monkeypatch):
    with watching() as seen:
        with seen.telemetry.dialing(Context()):
            monkeypatch.setattr("time.time_ns", lambda: 0)
        span = seen.one(names.SPAN_DIAL)
    assert span.end_time >= span.start_time


@pytest.mark.parametrize("limit", Limit)
def test_a_refused_turn_is_counted_by_its_limit(limit):
    with watching() as seen:
        seen.telemetry.refused(limit)
        assert seen.count(names.REFUSED, limit=limit.value) == 1


def test_a_closed_connection_is_counted_by_its_reason():
    with watching() as seen:
        seen.telemetry.closed("expired")
        assert seen.count(names.LINE_CLOSES, reason="expired") == 1


def test_off_records_nothing_and_identifies_no_dial():
    OFF.refused(Limit.TURNS)
    OFF.closed("expired")
    with OFF.dialing(None) as dial:
        assert not dial.is_valid
    assert OFF.tracer is None
