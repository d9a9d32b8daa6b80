"""The log: lines for a person on a terminal, JSON for everything else.

Owns where it goes, how it looks, and what every line carries: the trace, the session, the caller's request
id. Must never let a library of the sockets speak below WARNING: they would tell of headers and frames,
which hold the key and the prompts.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TextIO

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger

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
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_CARRIED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_FOR_A_PERSON if target.isatty() else _FOR_A_MACHINE),
            ],
        )
    )
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


def bind(**values: str) -> None:
    """Every line of this task carries these from now on. Empty ones are left out."""
    structlog.contextvars.bind_contextvars(**{name: value for name, value in values.items() if value})


def _with_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def _where(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Of an exception its kind and its place, not its text: that may hold a prompt."""
    error = event.pop("exc_info", None)
    if isinstance(error, tuple) and error[0] is not None:
        event["exception"] = "".join((*traceback.format_tb(error[2]), error[0].__name__))
    return event


def _shortened(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A trace is found by its own id; a logger's name says what the line says."""
    for name in ("logger", "span_id"):
        event.pop(name, None)
    return event


_CARRIED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    _with_trace,
    _where,
]
_FOR_A_PERSON: list[Processor] = [
    structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
    _shortened,
    structlog.dev.ConsoleRenderer(sort_keys=False, pad_event_to=0),
]
_FOR_A_MACHINE: list[Processor] = [
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.EventRenamer("message"),
    structlog.processors.JSONRenderer(),
]
