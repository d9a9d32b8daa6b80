"""Lines as they are seen: a span for each dial, a count for each close, and for each turn that a limit
refused.

Owns those. Must never open a span for as long as a line lives: it would be told of when the line is gone, and
measure mostly that nobody spoke.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from opentelemetry.trace import SpanContext, SpanKind

from service.domain.errors import TurnError
from service.telemetry import attributes, calls, names, turns
from service.telemetry.signals import signals
from service.telemetry.spans import Span

__all__ = ["SpanContext", "breaker_became", "closed", "dialing", "refused"]

logger = logging.getLogger("service.line")

REFUSED_BY_TURNS = "turns"
REFUSED_BY_TENANT = "tenant"
REFUSED_BY_BYTES = "bytes"
REFUSED_BY_SESSIONS = "sessions"
REFUSED_BY_CONNECTIONS = "connections"
REFUSED_BY_RATE = "rate"


@contextmanager
def dialing() -> Iterator[Span]:
    """A dial, below whatever it is made for."""
    now = signals()
    where = partial(attributes.of_upstream, *now.upstream)
    span = Span(now.tracer, names.SPAN_DIAL, where, SpanKind.CLIENT, turns.parent())
    began = time.perf_counter()
    result = "ok"
    try:
        yield span
    except BaseException as error:
        result = error.reason.value if isinstance(error, TurnError) else calls.CANCELLED
        span.fail(attributes.of_failure(result, error))
        raise
    finally:
        span.export()
        now.instruments.dials.record(time.perf_counter() - began, {names.LABEL_RESULT: result})
        logger.debug("dialed", extra={"result": result})


def closed(reason: str) -> None:
    """A line is gone. `reason` is one of few."""
    signals().instruments.closes.add(1, {names.LABEL_REASON: reason})
    logger.debug("line closed", extra={"reason": reason})


def breaker_became(state: str) -> None:
    logger.debug("breaker", extra={"state": state})


def refused(limit: str) -> None:
    signals().instruments.refused.add(1, {names.LABEL_LIMIT: limit})
