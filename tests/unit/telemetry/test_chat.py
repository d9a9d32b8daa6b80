from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.trace import StatusCode

from service.domain.errors import Reason, TurnError
from service.domain.events import Started, Usage
from service.domain.messages import CompletionRequest, Message, Role, TextPart, Transport
from service.domain.report import TransportReason, TurnReport
from service.telemetry import names
from service.telemetry.chat import Chat
from service.telemetry.otel_env import Capture
from tests.watching import watching

REQUEST = CompletionRequest("s", "gpt-1", (Message(Role.USER, (TextPart("s3cret"),)),))
REPORT = TurnReport("t1", Transport.SSE, TransportReason.REQUESTED)


def chat(usage: Usage | None = None, **ignored: int) -> Chat:
    exchange: Any = SimpleNamespace(usage=usage, ignored=ignored)
    return Chat(REQUEST, REPORT, exchange, 2)


def emit(attempt: Any) -> None:
    attempt.export()


def test_an_attempt_is_one_span_with_its_number_and_times():
    with watching() as seen:
        attempt = chat(Usage(input_tokens=5))
        attempt.sent()
        attempt.created(Started("resp_1", "gpt-1", 1.0))
        attempt.first_content()
        attempt.end("OK")
        emit(attempt)
        span = seen.one("chat gpt-1")
    attributes = span.attributes or {}
    assert (attributes[names.ATTEMPT], attributes[names.RESPONSE_ID]) == (2, "resp_1")
    assert attributes[names.INPUT_TOKENS] == 5
    assert names.TIME_TO_FIRST_CHUNK in attributes
    assert [event.name for event in span.events] == [
        names.EVENT_SENT,
        names.EVENT_CREATED,
        names.EVENT_FIRST_CONTENT,
        names.EVENT_TERMINAL,
    ]


def test_only_the_first_end_of_an_attempt_counts():
    with watching() as seen:
        attempt = chat()
        attempt.end("TIMEOUT", TurnError(Reason.TIMEOUT, "s3cret"))
        attempt.end("OK")
        emit(attempt)
        span = seen.one("chat gpt-1")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})[names.ERROR_TYPE] == "TIMEOUT"
    assert "s3cret" not in span.to_json()


@pytest.mark.parametrize(("capture", "shown"), [(Capture.NO_CONTENT, False), (Capture.SPAN_ONLY, True)])
def test_what_was_said_is_shown_only_where_asked_for(capture, shown):
    with watching(capture=capture) as seen:
        attempt = chat()
        attempt.end("OK")
        emit(attempt)
        assert ("s3cret" in seen.one("chat gpt-1").to_json()) is shown
