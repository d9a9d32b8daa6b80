"""The log: lines for a person on a terminal, JSON for everything else.

Owns where it goes, how it looks, and what every line carries: the trace, the session, the caller's request
id. Must never let a library of the sockets speak below WARNING: they would tell of headers and frames,
which hold the key and the prompts.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

import msgspec
import structlog
from opentelemetry import trace
from structlog.typing import EventDict, WrappedLogger

OURS = "service"
PROCESS = "service.app"
EXPORTERS = "opentelemetry."
SELDOM_S = 60.0


def configure(level: str, stream: TextIO | None = None) -> None:
    """From now on everything goes there (standard error), ours from this level on, all else from WARNING
    on.
    """
    target = stream or sys.stderr
    handler = logging.StreamHandler(target)
    handler.setFormatter(_for_a_person() if target.isatty() else _ForAMachine())
    handler.addFilter(_Seldom())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger(OURS).setLevel(level.upper())
    # Where the process listens is told at any level: whoever left the port open must learn it.
    logging.getLogger(PROCESS).setLevel(min(logging.getLogger(OURS).level, logging.INFO))


class _Seldom(logging.Filter):
    """A collector that is gone is news, but not with every batch."""

    def __init__(self) -> None:
        super().__init__()
        self._told_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(EXPORTERS):
            return True
        if record.created - self._told_at.get(record.name, 0.0) < SELDOM_S:
            return False
        self._told_at[record.name] = record.created
        return True


_BOUND: ContextVar[dict[str, str]] = ContextVar("bound")


def bind(**values: str) -> None:
    """Every line of this task carries these from now on. Empty ones are left out."""
    given = {name: value for name, value in values.items() if value}
    _BOUND.set(_BOUND.get({}) | given)


def _carried() -> dict[str, object]:
    """What every line of this task carries: what was bound, and its trace."""
    carried: dict[str, object] = {**_BOUND.get({})}
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        carried["trace_id"] = trace.format_trace_id(context.trace_id)
        carried["span_id"] = trace.format_span_id(context.span_id)
    return carried


def _where(error: object) -> str | None:
    """Of an exception its kind and its place, not its text: that may hold a prompt."""
    if not isinstance(error, tuple) or error[0] is None:
        return None
    return "".join((*traceback.format_tb(error[2]), error[0].__name__))


class _ForAMachine(logging.Formatter):
    """JSON, made in one go: every turn has a line, and a chain of processors would cost it more than that."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= _carried()
        told |= {name: value for name, value in vars(record).items() if name not in _OF_EVERY_RECORD}
        if where := _where(record.exc_info):
            told["exception"] = where
        try:
            return _JSON.encode(told).decode()
        except UnicodeEncodeError:  # half a character, which the system or a library may name
            return json.dumps(told, default=str)


_JSON = msgspec.json.Encoder(enc_hook=str)
_OF_EVERY_RECORD = frozenset([*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"])


def _for_a_person() -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), _more],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(sort_keys=False, pad_event_to=0),
        ],
    )


def _more(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A trace is found by its own id, and a logger's name says what the line says: both stay away."""
    event["level"] = event["_record"].levelname.lower()
    event.update({name: value for name, value in _carried().items() if name != "span_id"})
    if where := _where(event.pop("exc_info", None)):
        event["exception"] = where
    return event
