import io
import json
import logging
import sys
import threading
import warnings

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import use_span

from service.telemetry import logs

PATIENCE_S = 60.0
PROMPT = "a pr0mpt"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch):
    monkeypatch.setattr(logs, "FLUSH_S", PATIENCE_S)  # all lines are looked at, however late they are written
    root, ours = logging.getLogger(), logging.getLogger("service")
    process = logging.getLogger("service.app")
    handlers, levels = root.handlers[:], (root.level, ours.level, process.level)
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    yield
    logs.close()
    logging.captureWarnings(capture=False)
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    process.setLevel(levels[2])
    structlog.contextvars.clear_contextvars()


def said(stream):
    logs.close()
    return stream.getvalue()


def test_a_record_is_formatted_as_json():
    stream = io.StringIO()
    logs.configure("info", stream)
    logs.bind(session="s1", request_id="")
    logging.getLogger("service.turn").info("turn", extra={"ending": "OK"})
    reported = json.loads(said(stream))
    del reported["timestamp"]
    assert reported == {
        "message": "turn",
        "level": "info",
        "logger": "service.turn",
        "session": "s1",
        "ending": "OK",
    }


def test_a_record_is_formatted_for_a_terminal():
    stream = Terminal()
    logs.configure("info", stream)
    logging.getLogger("service.turn").info("turn", extra={"ending": "OK"})
    line = said(stream)
    assert "turn" in line
    assert "ending" in line
    assert not line.startswith("{")
    assert "service.turn" not in line


def test_a_line_names_its_span():
    stream = io.StringIO()
    logs.configure("info", stream)
    span = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("a")
    with use_span(span):
        logging.getLogger("service").warning("here")
    reported = json.loads(said(stream))
    assert reported["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert reported["span_id"] == f"{span.get_span_context().span_id:016x}"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_an_exception_is_logged_without_its_text(stream):
    logs.configure("info", stream)
    try:
        int(PROMPT)
    except ValueError:
        logging.getLogger("service").exception("unexpected")
    reported = said(stream)
    assert "ValueError" in reported
    assert "test_logs.py" in reported
    assert PROMPT not in reported


def test_exporter_errors_are_logged_once_a_minute():
    now = [1000.0]
    throttle = logs._Throttle(lambda: now[0])
    exporter = logging.getLogger("opentelemetry.exporter.otlp")
    passed = []
    for second in (0, 1, 59, 61, 62):
        now[0] = 1000.0 + second
        record = exporter.makeRecord(exporter.name, logging.ERROR, "", 0, "failed to export", (), None)
        record.created -= 86_400 * second
        passed.append(throttle.filter(record))
    assert passed == [True, False, False, True, False]
    ours = logging.getLogger("service").makeRecord("service", logging.ERROR, "", 0, "of ours", (), None)
    assert [throttle.filter(ours), throttle.filter(ours)] == [True, True]


@pytest.mark.parametrize(("level", "count"), [("debug", 2), ("info", 1), ("error", 0)])
def test_only_the_service_logs_below_warning(level, count):
    stream = io.StringIO()
    logs.configure(level, stream)
    for name in ("websockets.client", "httpx", "grpc", "asyncio"):
        logging.getLogger(name).info("header: the key")
    logging.getLogger("service.line").debug("dialed")
    logging.getLogger("service.line").info("dialed")
    logging.getLogger("service.app").info("listening on")
    assert said(stream).count("dialed") == count
    assert "listening on" in said(stream)
    assert "key" not in said(stream)


def test_a_lone_surrogate_loses_no_line():
    stream = io.StringIO()
    logs.configure("info", stream)
    logging.getLogger("service.turn").info("turn", extra={"file": "caf\udce9"})
    assert json.loads(said(stream))["file"] == "caf\udce9"


@pytest.mark.parametrize("character", ["x", "\u0000", "\U0001f600", "\udce9"])
@pytest.mark.parametrize("fields", [1, 40])
def test_a_line_has_a_bounded_length_and_stays_json(character, fields):
    stream = io.StringIO()
    logs.configure("info", stream)
    extra = {f"field{number}": character * 1_000_000 for number in range(fields)}
    logging.getLogger("service.turn").info("turn", extra=extra | {"attempts": 3})
    line = said(stream)
    assert len(line.encode(errors="surrogatepass")) <= logs.LINE_BYTES + 1
    reported = json.loads(line)
    assert reported["message"] == "turn"
    if fields == 1:
        assert reported["attempts"] == 3
        assert reported["field0"].startswith(character * 100)


def test_a_console_line_has_a_bounded_length():
    stream = Terminal()
    logs.configure("info", stream)
    logging.getLogger("service.turn").info("turn", extra={"model": "x" * 1_000_000})
    assert len(said(stream)) <= logs.LINE_BYTES + 1


def test_a_deep_exception_is_logged_with_its_innermost_frames():
    def deeper(depth):
        if depth == 0:
            return 1 // 0
        return other(depth - 1)  # two functions by turns: frames that repeat would be shown once

    def other(depth):
        return deeper(depth)

    stream = io.StringIO()
    logs.configure("info", stream)
    try:
        deeper(300)
    except ZeroDivisionError:
        logging.getLogger("service").exception("unexpected")
    reported = json.loads(said(stream))["exception"]
    assert reported.endswith("ZeroDivisionError")
    assert "1 // 0" in reported


def test_a_record_that_cannot_be_formatted_is_counted_as_lost():
    stream = io.StringIO()
    logs.configure("info", stream)
    logging.getLogger("service").info("%d of them", "many")
    assert said(stream) == ""
    assert logs.lost() == 1


def test_warnings_and_uncaught_exceptions_are_logged():
    stream = io.StringIO()
    logs.configure("info", stream)
    logs.catch()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("an old way", DeprecationWarning, stacklevel=1)
    thread = threading.Thread(target=int, args=[PROMPT])
    thread.start()
    thread.join()
    sys.excepthook(ValueError, ValueError(PROMPT), None)
    sys.excepthook(SystemExit, SystemExit(0), None)
    reported = [json.loads(line) for line in said(stream).splitlines()]
    assert [line["level"] for line in reported] == ["warning", "error", "error"]
    assert "an old way" in reported[0]["message"]
    assert reported[1]["exception"].endswith("ValueError")
    assert PROMPT not in str(reported)
