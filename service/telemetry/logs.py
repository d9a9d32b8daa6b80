"""The log: lines for a person on a terminal, JSON for everything else.

Owns where it goes, how it looks, and what every line carries: the trace, the session, the caller's request
id. Must never let a library of the sockets speak below WARNING: they would tell of headers and frames,
which hold the key and the prompts.
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

OURS = "service"
PROCESS = "service.app"
EXPORTERS = "opentelemetry."
THROTTLE_S = 60.0


STDERR = 2

LINE_BYTES = 16 * 1024
TEXT_CHARACTERS = 1024
"""Of a line that is longer each text is cut to this."""

FRAMES = 50
"""How many frames of a traceback are shown: the innermost."""

FLUSH_S = 1.0
"""How long the last lines may take to leave: nobody may read them, and the process must end."""

logger = logging.getLogger(__name__)
_writer: Writer | None = None


def configure(level: str, stream: TextIO | None = None) -> None:
    """From now on everything goes there (standard error), ours from this level on, all else from WARNING
    on. A call that logs never waits for the write; what nobody reads is lost and counted.
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
    logging.getLogger(OURS).setLevel(level.upper())
    # Where the process listens is fields at any level: whoever left the port open must learn it.
    logging.getLogger(PROCESS).setLevel(min(logging.getLogger(OURS).level, logging.INFO))


def close() -> None:
    """Write the last lines; for at most `FLUSH_S`. What is logged afterwards is lost."""
    if _writer is not None:
        _writer.close(FLUSH_S)


def lost() -> int:
    """How many lines were lost since the start."""
    return _writer.lost if _writer is not None else 0


def catch() -> None:
    """Send to the log what the interpreter would write to standard error itself, where it would wait for a
    reader: warnings, and exceptions that nobody caught, in any thread or finalizer.
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
    """Formats where the line is logged, which knows its task; leaves the writing to the thread."""

    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
        except Exception:  # noqa: BLE001  whatever a library logs, the one that logs it goes on
            self._writer.lose()
        else:
            self._writer.put(line)


class _Throttle(logging.Filter):
    """A collector that is gone is news, but not with every batch."""

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
    """Every line of this task carries these from now on. Empty ones are left out."""
    given = {name: truncate(value) for name, value in values.items() if value}
    _BOUND.set(_BOUND.get({}) | given)


def _task_fields() -> dict[str, object]:
    """What every line of this task carries: what was bound, and its trace."""
    fields: dict[str, object] = {**_BOUND.get({})}
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        fields["trace_id"] = trace.format_trace_id(context.trace_id)
        fields["span_id"] = trace.format_span_id(context.span_id)
    return fields


def _location(error: object) -> str | None:
    """Of an exception its kind and its place, not its text: that may hold a prompt."""
    if not isinstance(error, tuple) or error[0] is None:
        return None
    return truncate(
        "".join((*traceback.format_tb(error[2], limit=-FRAMES), error[0].__name__)), MESSAGE_CHARACTERS
    )


def _shortened(value: object) -> object:
    """The value, or what can be shown of its text."""
    if value is None or isinstance(value, int | float):
        return value
    text = truncate(value if isinstance(value, str) else str(value))
    return value if len(text) < SHOWN_CHARACTERS else text


class _JsonFormatter(logging.Formatter):
    """JSON, made in one go: every turn has a line, and a chain of processors would cost it more than that."""

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
    except UnicodeEncodeError:  # half a character, which the system or a library may name
        return json.dumps(fields, default=str)


def _encoded_shortened(fields: dict[str, object]) -> str:
    """Each text is cut; if that is not enough, only what every line has is kept."""
    short = {name: _cut(name, value) for name, value in fields.items()}
    line = _encoded(short)
    if _fits(line):
        return line
    return _encoded({name: short[name] for name in ("timestamp", "level", "logger", "message")})


def _cut(name: str, value: object) -> object:
    if isinstance(value, float | datetime):
        return value
    text = str(value)
    if len(text) <= TEXT_CHARACTERS:
        return value
    # What an exception is, and where it was raised, stands at the end.
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
    """A trace is found by its own id, and a logger's name says what the line says: both stay away."""
    said = truncate(str(event["event"]), MESSAGE_CHARACTERS)
    fields = {name: _shortened(value) for name, value in event.items() if name not in _OF_STRUCTLOG}
    event.update(fields | {"event": said})
    event["level"] = event["_record"].levelname.lower()
    event.update({name: value for name, value in _task_fields().items() if name != "span_id"})
    if location := _location(event.pop("exc_info", None)):
        event["exception"] = location
    return event
