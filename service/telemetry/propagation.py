"""Propagate traces from the caller's metadata to spans, and from spans to HTTP requests upstream.

A caller's baggage is not forwarded: it is not meant for the upstream. Nothing is propagated over a WebSocket,
because its headers are those of the handshake and one connection serves many turns.
"""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import NonRecordingSpan, SpanContext, get_current_span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Metadata = Sequence[tuple[str, str | bytes]]

_W3C = TraceContextTextMapPropagator()


class _Reader(Getter[Metadata]):
    def get(self, carrier: Metadata, key: str) -> list[str] | None:
        return [value for name, value in carrier if name == key and isinstance(value, str)] or None

    def keys(self, carrier: Metadata) -> list[str]:
        return [name for name, _ in carrier]


_READER = _Reader()


def remote_parent(metadata: Metadata) -> SpanContext:
    """Extract the caller's span by the propagators of OTEL_PROPAGATORS. Without one, an invalid context."""
    return get_current_span(propagate.extract(metadata, Context(), _READER)).get_span_context()


def context_of(span: SpanContext) -> Context:
    """Return a context that holds the ids of this span, and nothing else."""
    return set_span_in_context(NonRecordingSpan(span), Context())


def headers(span: SpanContext) -> dict[str, str]:
    """Return `traceparent` and `tracestate` of this span. An invalid span has no headers."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, context_of(span))
    return carrier
