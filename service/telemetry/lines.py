"""Record upstream connections: a span for each dial, a count for each close and for each refused turn.

There is no span for the lifetime of a connection: it would be exported only after the connection is gone, and
would mostly measure silence.
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

__all__ = ["SpanContext", "closed", "dialing", "refused"]

logger = logging.getLogger("service.line")

REFUSED_BY_TURNS = "turns"
REFUSED_BY_TENANT = "tenant"
REFUSED_BY_BYTES = "bytes"
REFUSED_BY_SESSIONS = "sessions"
REFUSED_BY_CONNECTIONS = "connections"
REFUSED_BY_RATE = "rate"


@contextmanager
def dialing() -> Iterator[Span]:
    """Record a dial in a span, as a child of the turn that needs the connection."""
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
    """Count a closed connection. `reason` is a label and has few values."""
    signals().instruments.closes.add(1, {names.LABEL_REASON: reason})
    logger.debug("line closed", extra={"reason": reason})


def refused(limit: str) -> None:
    """Count a turn that was refused by this limit."""
    signals().instruments.refused.add(1, {names.LABEL_LIMIT: limit})
