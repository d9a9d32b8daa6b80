"""Record with what the process exports through: `Telemetry`.

`setup` makes one for the process, and `app` passes it to whatever records: the server, the manager, the
upstream, and from there their parts. `OFF` records nothing. It is an argument and no global, so two services
of one process, as in tests, each have their own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from opentelemetry.context import Context
from opentelemetry.metrics import NoOpMeter
from opentelemetry.trace import INVALID_SPAN, Span, SpanContext, SpanKind, StatusCode, Tracer

from service.domain.errors import TurnError
from service.domain.report import NOBODY, Peer
from service.telemetry import attributes, calls, names
from service.telemetry.gauges import Gauges
from service.telemetry.instruments import BoundedLabel, Instruments
from service.telemetry.otel_env import Capture

SCOPE = "trunkline"
NOOP_METER = NoOpMeter(SCOPE)

logger = logging.getLogger("service.line")


class Limit(Enum):
    """The limits by which a turn is refused."""

    TURNS = "turns"
    TENANT = "tenant"
    BYTES = "bytes"
    SESSIONS = "sessions"
    CONNECTIONS = "connections"
    RATE = "rate"
    KEPT = "kept"
    REQUESTS_PER_MINUTE = "requests_per_minute"
    TOKENS_PER_MINUTE = "tokens_per_minute"
    TOKENS_PER_DAY = "tokens_per_day"


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The tracer, the instruments and how content and labels are bounded.

    `tracer`: None where no spans are exported. `upstream`: the one of which this records.
    `model` and `tenant` bound the values of these labels. `caller_attributes`: the keys of the metadata in
    which callers say something of themselves.
    """

    tracer: Tracer | None = None
    instruments: Instruments = field(default_factory=lambda: Instruments(NOOP_METER))
    gauges: Gauges = field(default_factory=lambda: Gauges(NOOP_METER))
    capture: Capture = Capture.NO_CONTENT
    upstream: Peer = NOBODY
    model: BoundedLabel = field(default_factory=BoundedLabel)
    tenant: BoundedLabel = field(default_factory=BoundedLabel)
    caller_attributes: tuple[str, ...] = ()

    def refused(self, limit: Limit) -> None:
        """Count a turn that was refused by this limit."""
        self.instruments.refused.add(1, {names.LABEL_LIMIT: limit.value})

    def closed(self, reason: str) -> None:
        """Count a closed connection. `reason` is a label and has few values."""
        self.instruments.closes.add(
            1, {names.LABEL_REASON: reason} | attributes.upstream_label(self.upstream.name)
        )
        logger.debug("line closed", extra={"reason": reason})

    @contextmanager
    def dialing(self, parent: Context | None) -> Iterator[SpanContext]:
        """Record a dial in a span, and yield what identifies it. `parent`: None stands for the current span.

        There is no span for the lifetime of a connection: it would be exported only after the connection is
        gone, and would mostly measure silence.
        """
        began, began_ns = time.perf_counter(), time.time_ns()
        span: Span = INVALID_SPAN
        result = "ok"
        if self.tracer is not None:
            address = attributes.of_upstream(self.upstream)
            span = self.tracer.start_span(names.SPAN_DIAL, parent, SpanKind.CLIENT, address, (), began_ns)
        try:
            yield span.get_span_context()
        except BaseException as error:
            result = error.reason.value if isinstance(error, TurnError) else calls.CANCELLED
            span.set_attributes(attributes.bounded(attributes.of_failure(result, error)))
            span.set_status(StatusCode.ERROR)
            raise
        finally:
            took = time.perf_counter() - began
            span.end(began_ns + round(took * 1e9))
            self.instruments.dials.record(
                took, {names.LABEL_RESULT: result} | attributes.upstream_label(self.upstream.name)
            )
            logger.debug("dialed", extra={"result": result})


OFF = Telemetry()
"""Records nothing."""
