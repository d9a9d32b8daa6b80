"""What a compaction shows of itself: a span, measurements, a line in the log, and never its content."""

import asyncio
import logging

import pytest
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanKind, StatusCode

from service.domain.compaction import Compacted
from service.domain.errors import Reason, TurnError, UpstreamDetail
from service.domain.events import Usage
from service.domain.messages import CompletionRequest, Message, Role, TextPart
from service.domain.report import Peer
from service.telemetry import logs, names
from service.telemetry.calls import Call
from service.telemetry.compaction_trace import CompactionTrace
from service.telemetry.telemetry import OFF
from tests.watching import watching

SAID = (Message(Role.USER, (TextPart("s3cret"),)),)
REQUEST = CompletionRequest("s", "gpt-1", SAID, request_id="r-1")
COMPACTED = Compacted("resp_1", 1.0, SAID, Usage(5, 4, 0, 3, 1, 8), {"field:id": 1}, 10)
SPAN = "compact gpt-1"


@pytest.fixture(autouse=True)
def _log(caplog, monkeypatch):
    caplog.set_level(logging.INFO, "service.compaction")
    monkeypatch.setattr(logs, "bind", lambda **_: None)  # of this thread, it would reach other tests


def test_a_compaction_is_a_span_of_its_call_and_is_counted(caplog):
    with watching() as seen:
        call = Call(seen.telemetry, {names.RPC_METHOD: "a.B/C"}, {}, INVALID_SPAN_CONTEXT)
        with CompactionTrace(seen.telemetry, call, "one", REQUEST) as trace:
            assert trace.headers()["traceparent"]
            trace.begun(Peer("", "host", 443), 7)
            trace.answered(COMPACTED)
        call.end("OK")
        span = seen.one(SPAN)
        assert span.parent.span_id == seen.one("a.B/C").context.span_id
        assert (span.kind, span.status.status_code) == (SpanKind.CLIENT, StatusCode.UNSET)
        assert span.attributes[names.QUEUE_S] >= 0
        assert (
            span.attributes.items()
            >= {
                names.OPERATION: "compact",
                names.REQUEST_MODEL: "gpt-1",
                names.CONVERSATION: "s",
                names.TENANT: "one",
                names.REQUEST_ID: "r-1",
                names.RESPONSE_ID: "resp_1",
                names.BYTES_SENT: 7,
                names.INPUT_TOKENS: 5,
                names.IGNORED_EVENTS: ("field:id",),
                names.ENDING: "OK",
                names.SERVER_ADDRESS: "host",
            }.items()
        )
        assert seen.count(names.TOKENS, tenant="one", model="gpt-1", type="input") == 5
        assert seen.count(names.TOKEN_USAGE, gen_ai__operation__name="compact") == 2
        assert seen.count(names.OPERATION_DURATION, gen_ai__operation__name="compact") == 1
        assert seen.count(names.TURNS) == 0
    (line,) = caplog.records
    assert (line.message, line.ending, line.tenant, line.model) == ("compaction", "OK", "one", "gpt-1")
    assert (line.response_id, line.messages, line.input_tokens, line.bytes_sent) == ("resp_1", 1, 5, 7)
    assert "s3cret" not in repr(vars(line))


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (TurnError(Reason.RATE_LIMITED, "s3cret", upstream=UpstreamDetail(status=429)), "RATE_LIMITED"),
        (asyncio.CancelledError(), "CANCELLED"),
        (ZeroDivisionError(), "INTERNAL"),
    ],
)
def test_a_failure_is_named_by_its_reason(caplog, error, ending):
    with watching() as seen:
        with (
            pytest.raises(type(error)),
            CompactionTrace(seen.telemetry, None, "", CompletionRequest("s", "gpt-1", ())),
        ):
            raise error
        span = seen.one(SPAN)
        assert (span.status.status_code, span.attributes[names.ERROR_TYPE]) == (StatusCode.ERROR, ending)
        assert names.REQUEST_ID not in span.attributes
        assert "s3cret" not in repr(span.attributes)
        assert seen.count(names.OPERATION_DURATION, error__type=ending) == 1
        assert seen.count(names.TOKENS) == 0
    assert caplog.records[0].ending == ending


def test_without_tracing_and_usage_there_is_a_line_all_the_same(caplog):
    with CompactionTrace(OFF, None, "one", REQUEST) as trace:
        assert trace.headers() == {}
        trace.answered(Compacted("resp_1", 0.0, SAID, None, {}, 10))
    (line,) = caplog.records
    assert (line.response_id, hasattr(line, "input_tokens")) == ("resp_1", False)


def test_an_answer_without_usage_has_its_id():
    with watching() as seen:
        with CompactionTrace(seen.telemetry, None, "one", REQUEST) as trace:
            trace.answered(Compacted("resp_1", 0.0, SAID, None, {}, 10))
        assert seen.one(SPAN).attributes[names.RESPONSE_ID] == "resp_1"
        assert names.INPUT_TOKENS not in seen.one(SPAN).attributes
