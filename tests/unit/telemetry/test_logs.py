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

PROMPT = "a pr0mpt"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def as_it_was():
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


def test_a_machine_gets_json():
    stream = io.StringIO()
    logs.configure("info", stream)
    logs.bind(session="s1", request_id="")
    logging.getLogger("service.turn").info("turn", extra={"ending": "OK"})
    told = json.loads(said(stream))
    del told["timestamp"]
    assert told == {
        "message": "turn",
        "level": "info",
        "logger": "service.turn",
        "session": "s1",
        "ending": "OK",
    }


def test_a_person_gets_a_line():
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
    told = json.loads(said(stream))
    assert told["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert told["span_id"] == f"{span.get_span_context().span_id:016x}"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_of_an_exception_the_place_is_told_and_not_the_text(stream):
    logs.configure("info", stream)
    try:
        int(PROMPT)
    except ValueError:
        logging.getLogger("service").exception("unexpected")
    told = said(stream)
    assert "ValueError" in told
    assert "test_logs.py" in told
    assert PROMPT not in told


def test_a_collector_that_is_gone_is_told_once_a_minute_whatever_the_wall_clock_does():
    now = [1000.0]
    seldom = logs._Throttle(lambda: now[0])
    exporter = logging.getLogger("opentelemetry.exporter.otlp")
    passed = []
    for second in (0, 1, 59, 61, 62):
        now[0] = 1000.0 + second
        record = exporter.makeRecord(exporter.name, logging.ERROR, "", 0, "failed to export", (), None)
        record.created -= 86_400 * second
        passed.append(seldom.filter(record))
    assert passed == [True, False, False, True, False]
    ours = logging.getLogger("service").makeRecord("service", logging.ERROR, "", 0, "of ours", (), None)
    assert [seldom.filter(ours), seldom.filter(ours)] == [True, True]


@pytest.mark.parametrize(("level", "count"), [("debug", 2), ("info", 1), ("error", 0)])
def test_only_ours_speaks_below_warning(level, count):
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


def test_half_a_character_costs_no_line():
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
    told = json.loads(line)
    assert told["message"] == "turn"
    if fields == 1:
        assert told["attempts"] == 3
        assert told["field0"].startswith(character * 100)


def test_a_line_for_a_person_has_a_bounded_length():
    stream = Terminal()
    logs.configure("info", stream)
    logging.getLogger("service.turn").info("turn", extra={"model": "x" * 1_000_000})
    assert len(said(stream)) <= logs.LINE_BYTES + 1


def test_of_a_deep_exception_the_innermost_place_is_told():
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
    told = json.loads(said(stream))["exception"]
    assert told.endswith("ZeroDivisionError")
    assert "1 // 0" in told


def test_what_cannot_be_formatted_is_a_lost_line_and_no_error():
    stream = io.StringIO()
    logs.configure("info", stream)
    logging.getLogger("service").info("%d of them", "many")
    assert said(stream) == ""
    assert logs.lost() == 1


def test_warnings_and_what_nobody_caught_are_lines_too():
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
    told = [json.loads(line) for line in said(stream).splitlines()]
    assert [line["level"] for line in told] == ["warning", "error", "error"]
    assert "an old way" in told[0]["message"]
    assert told[1]["exception"].endswith("ValueError")
    assert PROMPT not in str(told)
