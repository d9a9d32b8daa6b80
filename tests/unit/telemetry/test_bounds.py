"""Test that no long name of a caller or an upstream is shown in full or kept."""

import dataclasses
import gc
import io
import logging
import tracemalloc
from contextlib import suppress
from contextvars import copy_context
from typing import Any

import pytest

from service.domain.errors import Reason, TurnError, UpstreamDetail
from service.domain.events import Completed, Started, StopReason, Usage
from service.domain.messages import (
    CompletionRequest,
    Message,
    Options,
    Role,
    TextFormat,
    TextPart,
    Tool,
    Transport,
)
from service.domain.plan import ContextReason
from service.domain.report import TransportReason, TurnReport
from service.telemetry import calls, logs, names
from service.telemetry.bounds import CONTENT_CHARACTERS, MESSAGE_CHARACTERS, SHOWN_CHARACTERS, truncate
from service.telemetry.otel_env import Capture
from service.telemetry.turns import TurnPublisher
from service.wire.tally import Tally
from tests.watching import watching

LONG = "x" * 2**20
KEPT_BYTES = 256 * 1024


def stuffed(kind: type, **given: Any) -> Any:
    """An instance in which every text that is not given has 1 MiB."""
    texts = {field.name: LONG for field in dataclasses.fields(kind) if field.type in ("str", "str | None")}
    return kind(**texts | given)


class ResponseFacts:
    def __init__(self):
        self.usage = Usage(1, 0, 0, 1, 0, 2)
        self.ignored = Tally()
        for number in range(100):
            self.ignored.note(f"{number}{LONG}")


def asked() -> Any:
    options = stuffed(Options, text_format=stuffed(TextFormat), transport=Transport.AUTO)
    said = (Message(Role.USER, (TextPart(LONG),)),)
    return stuffed(CompletionRequest, messages=said, tools=(stuffed(Tool),), options=options)


def play(error: TurnError | None = None) -> None:
    """One turn whose names are all long, from its call to its log line, in its own context."""
    copy_context().run(_play, error)


def _play(error: TurnError | None) -> None:
    request, response = asked(), ResponseFacts()
    report = stuffed(
        TurnReport,
        transport=Transport.SSE,
        transport_reason=TransportReason.PREFERRED,
        context_reason=ContextReason.SSE,
        attempts=1,
    )
    call = calls.begin(f"/{LONG}", (("traceparent", LONG), ("tracestate", LONG)), known=False)
    with suppress(TurnError), TurnPublisher(LONG, request) as publisher:
        publisher.admitted(lambda: report)
        publisher.attempt(report, response)
        publisher.created(stuffed(Started, created_at=0.0))
        if error is not None:
            publisher.failed(error)
            raise error
        message = Message(Role.ASSISTANT, (TextPart(LONG),))
        publisher.completed(
            stuffed(
                Completed,
                created_at=0.0,
                message=message,
                stop_reason=StopReason.STOP,
                usage=response.usage,
                continuable=True,
            )
        )
    call.end("OK")


def failure() -> TurnError:
    return TurnError(Reason.UPSTREAM_ERROR, LONG, upstream=stuffed(UpstreamDetail))


def texts_of(seen):
    """Every text on a span, and whether it is content."""
    for span in seen.spans:
        yield False, span.name
        for attributes in (span.attributes, *(event.attributes for event in span.events)):
            for name, value in attributes.items():
                for text in value if isinstance(value, tuple) else (value,):
                    yield name in names.CONTENT, str(text)


@pytest.mark.parametrize("error", [None, failure()], ids=["answered", "failed"])
@pytest.mark.parametrize("capture", [Capture.NO_CONTENT, Capture.SPAN_AND_EVENT])
def test_no_span_or_label_holds_a_long_text(capture, error):
    with watching(capture=capture) as seen:
        play(error)
        texts = list(texts_of(seen))
        assert len(texts) > 30
        assert max(len(text) for is_content, text in texts if not is_content) <= SHOWN_CHARACTERS
        assert max(len(text) for _, text in texts) <= CONTENT_CHARACTERS
        metrics = [name for name in vars(names).values() if isinstance(name, str)]
        labels = [value for name in metrics for found in seen.points(name) for _, value in found]
        assert labels
        assert max(map(len, labels)) <= SHOWN_CHARACTERS


@pytest.mark.parametrize("terminal", [False, True])
def test_no_log_line_holds_a_long_text(terminal):
    class Stream(io.StringIO):
        def isatty(self):
            return terminal

    stream, logger = Stream(), logging.getLogger("service.turn")
    root, before = logging.getLogger(), (logging.getLogger().handlers[:], logging.getLogger().level)
    logs.configure("debug", stream)
    try:
        play()
        play(failure())
        logger.warning(LONG, extra={"thing": [LONG], "other": LONG})
        logs.close()  # writes what waits
        lines = stream.getvalue().splitlines()
        assert len(lines) > 4
        assert max(map(len, lines)) <= MESSAGE_CHARACTERS + 20 * SHOWN_CHARACTERS
        fields_only = [line for line in lines if LONG[: SHOWN_CHARACTERS + 1] not in line]
        assert len(fields_only) == len(lines) - 1
        assert max(map(len, fields_only)) <= 20 * SHOWN_CHARACTERS
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        logging.getLogger(logs.SERVICE).setLevel(logging.NOTSET)


def test_long_texts_are_not_cached():
    with watching() as seen:
        play()
        tracemalloc.start()
        try:
            for _ in range(5):
                play()
                play(failure())
            gc.collect()
            kept = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
    assert kept <= KEPT_BYTES


def test_a_truncated_text_ends_with_an_ellipsis():
    assert truncate("short") == "short"
    assert truncate("long", 3) == "lo…"
