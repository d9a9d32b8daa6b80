"""Configure the log: console lines on a terminal, JSON elsewhere.

Each line carries the trace, the session and the caller's request id of its task. Libraries that speak to
sockets log nothing below WARNING: at DEBUG they log headers and frames, which hold the key and the prompts.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

import msgspec
import structlog
from opentelemetry import trace
from structlog.typing import EventDict, WrappedLogger

from service.telemetry.bounds import MESSAGE_CHARACTERS, SHOWN_CHARACTERS, truncate
from service.telemetry.writer import Writer, to_descriptor

SERVICE = "service"
PROCESS = "service.app"
EXPORTERS = "opentelemetry."
THROTTLE_S = 60.0


STDERR = 2

LINE_BYTES = 16 * 1024
TEXT_CHARACTERS = 1024
"""The length of each text in a line that exceeds `LINE_BYTES`."""

FRAMES = 50
"""The number of frames of a traceback that are shown: the innermost ones."""

FLUSH_S = 1.0
"""How long closing waits for the last lines: the process must end even if nothing reads them."""

logger = logging.getLogger(__name__)
_writer: Writer | None = None


def configure(level: str, stream: TextIO | None = None) -> None:
    """Write all records to the stream (standard error): the service's from this level, others from WARNING.

    Logging never waits for the write. Lines that are not read are lost and counted.
    """
    global _writer  # noqa: PLW0603  there is one log
    close()
    terminal = os.isatty(STDERR) if stream is None else stream.isatty()
    _writer = Writer(to_descriptor(STDERR) if stream is None else _to_stream(stream), on_recovery=_recovered)
    handler = _QueueHandler(_writer)
    handler.setFormatter(_console_formatter() if terminal else _JsonFormatter())
    handler.addFilter(_Throttle())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger(SERVICE).setLevel(level.upper())
    # Where the process listens is logged at any level: with port 0 it is known from the log only.
    logging.getLogger(PROCESS).setLevel(min(logging.getLogger(SERVICE).level, logging.INFO))


def close() -> None:
    """Write the remaining lines. Block for at most `FLUSH_S`. Later lines are lost."""
    if _writer is not None:
        _writer.close(FLUSH_S)


def lost() -> int:
    """Return the number of lines lost since the start."""
    return _writer.lost if _writer is not None else 0


def catch() -> None:
    """Log warnings and uncaught exceptions of any thread or finalizer.

    The interpreter would write them to standard error itself, and wait there for a reader.
    """
    logging.captureWarnings(capture=True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace_of: TracebackType | None) -> None:
    if kind is not SystemExit:  # a thread may end itself
        logger.error("uncaught exception", exc_info=(kind, error or BaseException(), trace_of))


def _recovered(number: int) -> None:
    logger.warning(
        "lines of the log were lost: they were not read, or could not be written", extra={"lost": number}
    )


def _to_stream(stream: TextIO) -> Callable[[bytes], int]:
    def write(data: bytes) -> int:
        stream.write(data.decode(errors="surrogatepass"))
        stream.flush()
        return len(data)

    return write


class _QueueHandler(logging.Handler):
    """Format a record in the task that logs it, and leave the write to the writer's thread."""

    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
        except Exception:  # noqa: BLE001  a record that cannot be formatted must not fail its caller
            self._writer.lose()
        else:
            self._writer.put(line)


class _Throttle(logging.Filter):
    """Throttle the exporters: an unreachable OTel Collector is logged once in `THROTTLE_S`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._emitted_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(EXPORTERS):
            return True
        now = self._clock()
        if now - self._emitted_at.get(record.name, -THROTTLE_S) < THROTTLE_S:
            return False
        self._emitted_at[record.name] = now
        return True


_BOUND: ContextVar[dict[str, str]] = ContextVar("bound")


def bind(**values: str) -> None:
    """Add these fields to every later line of this task. Empty values are left out."""
    given = {name: truncate(value) for name, value in values.items() if value}
    _BOUND.set(_BOUND.get({}) | given)


def _task_fields() -> dict[str, object]:
    """Return the fields that every line of this task carries: the bound ones and the trace."""
    fields: dict[str, object] = {**_BOUND.get({})}
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        fields["trace_id"] = trace.format_trace_id(context.trace_id)
        fields["span_id"] = trace.format_span_id(context.span_id)
    return fields


def _location(error: object) -> str | None:
    """Return type and traceback of an exception without its text, which may hold a prompt."""
    if not isinstance(error, tuple) or error[0] is None:
        return None
    return truncate(
        "".join((*traceback.format_tb(error[2], limit=-FRAMES), error[0].__name__)), MESSAGE_CHARACTERS
    )


def _shortened(value: object) -> object:
    """Return the value, or its text truncated."""
    if value is None or isinstance(value, int | float):
        return value
    text = truncate(value if isinstance(value, str) else str(value))
    return value if len(text) < SHOWN_CHARACTERS else text


class _JsonFormatter(logging.Formatter):
    """Format a record as JSON in one step: each turn has a line, and a chain of processors costs more."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": truncate(record.getMessage(), MESSAGE_CHARACTERS),
        }
        fields |= _task_fields()
        fields |= {
            name: _shortened(value) for name, value in vars(record).items() if name not in _OF_EVERY_RECORD
        }
        if location := _location(record.exc_info):
            fields["exception"] = location
        line = _encoded(fields)
        return line if _fits(line) else _encoded_shortened(fields)


def _fits(line: str) -> bool:
    return len(line) <= LINE_BYTES // 4 or len(line.encode(errors="replace")) <= LINE_BYTES


def _encoded(fields: dict[str, object]) -> str:
    try:
        return _JSON.encode(fields).decode()
    except UnicodeEncodeError:  # a lone surrogate, from a file name or a library
        return json.dumps(fields, default=str)


def _encoded_shortened(fields: dict[str, object]) -> str:
    """Encode with each text truncated; if that is still too long, keep only the fields of every line."""
    short = {name: _truncated(name, value) for name, value in fields.items()}
    line = _encoded(short)
    if _fits(line):
        return line
    return _encoded({name: short[name] for name in ("timestamp", "level", "logger", "message")})


def _truncated(name: str, value: object) -> object:
    if isinstance(value, float | datetime):
        return value
    text = str(value)
    if len(text) <= TEXT_CHARACTERS:
        return value
    # The type of an exception, and where it was raised, are at the end of its text.
    return f"…{text[-TEXT_CHARACTERS:]}" if name == "exception" else f"{text[:TEXT_CHARACTERS]}…"


_OF_STRUCTLOG = frozenset({"_record", "_from_structlog", "exc_info"})
_JSON = msgspec.json.Encoder(enc_hook=lambda value: truncate(str(value)))
_OF_EVERY_RECORD = frozenset([*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"])


def _console_formatter() -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _add_fields],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(sort_keys=False, pad_event_to=0),
            lambda _logger, _method, line: str(line)[:LINE_BYTES],
        ],
    )


def _add_fields(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Add level, exception and task fields to a console line; span id and logger name are left out."""
    message = truncate(str(event["event"]), MESSAGE_CHARACTERS)
    fields = {name: _shortened(value) for name, value in event.items() if name not in _OF_STRUCTLOG}
    event.update(fields | {"event": message})
    event["level"] = event["_record"].levelname.lower()
    event.update({name: value for name, value in _task_fields().items() if name != "span_id"})
    if location := _location(event.pop("exc_info", None)):
        event["exception"] = location
    return event
