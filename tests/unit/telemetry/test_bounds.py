"""Test that no long name of a caller or an upstream is shown in full or kept."""

import dataclasses
import gc
import io
import logging
import time
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
from service.domain.turn_record import TurnRecord
from service.telemetry import calls, logs, names
from service.telemetry.bounds import CONTENT_CHARACTERS, MESSAGE_CHARACTERS, SHOWN_CHARACTERS, truncate
from service.telemetry.otel_env import Capture
from service.telemetry.telemetry import OFF, Telemetry
from service.telemetry.turn_publisher import TurnTrace
from service.wire.tally import Tally
from tests.turn_records import Response
from tests.watching import watching

LONG = "x" * 2**20
DEFINITION = f'{{"type": "custom", "name": "{LONG}"}}'
KEPT_BYTES = 256 * 1024


def stuffed(kind: type, **given: Any) -> Any:
    """An instance in which every text that is not given has 1 MiB."""
    texts = {field.name: LONG for field in dataclasses.fields(kind) if field.type in ("str", "str | None")}
    return kind(**texts | given)


def ignoring() -> Response:
    """An answer with many events of invented kinds."""
    ignored = Tally()
    for number in range(100):
        ignored.note(f"{number}{LONG}")
    return Response(usage=Usage(1, 0, 0, 1, 0, 2), ignored=ignored)


def asked() -> Any:
    options = stuffed(Options, text_format=stuffed(TextFormat), transport=Transport.AUTO)
    said = (Message(Role.USER, (TextPart(LONG),)),)
    return stuffed(
        CompletionRequest,
        messages=said,
        tools=(stuffed(Tool, definition_json=""), stuffed(Tool, definition_json=DEFINITION)),
        options=options,
    )


def play(telemetry: Telemetry = OFF, error: TurnError | None = None) -> None:
    """One turn whose names are all long, from its call to its log line, in its own context."""
    copy_context().run(_play, telemetry, error)


def _play(telemetry: Telemetry, error: TurnError | None) -> None:
    request, response = asked(), ignoring()
    record = TurnRecord(LONG, request, time.monotonic, time.time)
    metadata = (("traceparent", LONG), ("tracestate", LONG))
    call = calls.begin(telemetry, f"/{LONG}", metadata, known=False)
    with suppress(TurnError), TurnTrace(telemetry, call, record):
        record.admitted(LONG)
        record.planned(response)
        record.dispatch(response)
        record.admit(stuffed(Started, created_at=0.0))
        if error is not None:
            record.failed(error)
            raise error
        message = Message(Role.ASSISTANT, (TextPart(LONG),))
        record.admit(
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
        play(seen.telemetry, error)
        texts = list(texts_of(seen))
        assert len(texts) > 30
        assert max(len(text) for is_content, text in texts if not is_content) <= SHOWN_CHARACTERS
        assert max(len(text) for _, text in texts) <= CONTENT_CHARACTERS
        metrics = [name for name in vars(names).values() if isinstance(name, str)]
        labels = [value for name in metrics for found in seen.points(name) for _, value in found]
        assert labels
        assert max(map(len, labels)) <= SHOWN_CHARACTERS


@pytest.mark.parametrize("terminal", [False, True])
def test_no_log_line_holds_a_long_text(terminal, monkeypatch):
    monkeypatch.setattr(logs, "FLUSH_S", 60.0)  # all lines are looked at, however late they are written

    class Stream(io.StringIO):
        def isatty(self):
            return terminal

    stream, logger = Stream(), logging.getLogger("service.turn")
    root, before = logging.getLogger(), (logging.getLogger().handlers[:], logging.getLogger().level)
    logs.configure("debug", stream)
    try:
        play()
        play(error=failure())
        logger.warning(LONG, extra={"thing": [LONG], "other": LONG})
        logs.close()  # writes what waits
        lines = stream.getvalue().splitlines()
        assert len(lines) > 2
        assert max(map(len, lines)) <= MESSAGE_CHARACTERS + 20 * SHOWN_CHARACTERS
        fields_only = [line for line in lines if LONG[: SHOWN_CHARACTERS + 1] not in line]
        assert len(fields_only) == len(lines) - 1
        assert max(map(len, fields_only)) <= 20 * SHOWN_CHARACTERS
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        logging.getLogger(logs.SERVICE).setLevel(logging.NOTSET)


def test_long_texts_are_not_kept():
    with watching() as seen:
        play(seen.telemetry)
        tracemalloc.start()
        try:
            for _ in range(5):
                play(seen.telemetry)
                play(seen.telemetry, failure())
                seen.forget()
            gc.collect()
            kept = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
    assert kept <= KEPT_BYTES


def test_a_truncated_text_ends_with_an_ellipsis():
    assert truncate("short") == "short"
    assert truncate("long", 3) == "lo…"
