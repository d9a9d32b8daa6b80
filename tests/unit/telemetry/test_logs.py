import io
import json
import logging

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
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    process.setLevel(levels[2])
    structlog.contextvars.clear_contextvars()


def test_a_machine_gets_json():
    stream = io.StringIO()
    logs.configure("info", stream)
    logs.bind(session="s1", request_id="")
    logging.getLogger("service.turn").info("turn", extra={"ending": "OK"})
    told = json.loads(stream.getvalue())
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
    line = stream.getvalue()
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
    told = json.loads(stream.getvalue())
    assert told["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert told["span_id"] == f"{span.get_span_context().span_id:016x}"


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_of_an_exception_the_place_is_told_and_not_the_text(stream):
    logs.configure("info", stream)
    try:
        int(PROMPT)
    except ValueError:
        logging.getLogger("service").exception("unexpected")
    told = stream.getvalue()
    assert "ValueError" in told
    assert "test_logs.py" in told
    assert PROMPT not in told


def test_a_collector_that_is_gone_is_told_once_a_minute():
    stream = io.StringIO()
    logs.configure("info", stream)
    exporter = logging.getLogger("opentelemetry.exporter.otlp")
    for passed in (0, 1, 59, 61, 62):
        record = exporter.makeRecord(exporter.name, logging.ERROR, "", 0, "failed to export", (), None)
        record.created += passed
        exporter.handle(record)
    logging.getLogger("service").error("of ours")
    logging.getLogger("service").error("of ours")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == [
        "failed to export",
        "failed to export",
        "of ours",
        "of ours",
    ]


@pytest.mark.parametrize(("level", "count"), [("debug", 2), ("info", 1), ("error", 0)])
def test_only_ours_speaks_below_warning(level, count):
    stream = io.StringIO()
    logs.configure(level, stream)
    for name in ("websockets.client", "httpx", "grpc", "asyncio"):
        logging.getLogger(name).info("header: the key")
    logging.getLogger("service.line").debug("dialed")
    logging.getLogger("service.line").info("dialed")
    logging.getLogger("service.app").info("listening on")
    assert stream.getvalue().count("dialed") == count
    assert "listening on" in stream.getvalue()
    assert "key" not in stream.getvalue()


def test_half_a_character_costs_no_line():
    stream = io.StringIO()
    logs.configure("info", stream)
    logging.getLogger("service.turn").info("turn", extra={"file": "caf\udce9"})
    assert json.loads(stream.getvalue())["file"] == "caf\udce9"
