"""Record one RPC: its SERVER span, its duration and the status it really ended with.

A call that ends from outside has no status of its own: when the caller leaves, grpc cancels the handler's
task, or fails its write, before the handler has chosen one. `Call.cut_off` therefore decides between
CANCELLED and DEADLINE_EXCEEDED by the clock. A caller's deadline passes at the caller first and arrives
here as cancellation, like any other; and grpc rounds the timeout up while sending it, by up to a hundredth.
So a cancellation within `DEADLINE_SLACK_S` + 1 % of the deadline counts as the deadline.

Example: with a timeout of 10 s, a cancellation after 9.8 s or later is DEADLINE_EXCEEDED (0.1 s + 0.1 s of
slack), an earlier one CANCELLED. The first decision stands: the span of the turn and that of the call
agree.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextvars import ContextVar

import grpc
from opentelemetry.context import attach
from opentelemetry.trace import INVALID_SPAN_CONTEXT, NonRecordingSpan, SpanKind, set_span_in_context

from service.telemetry import names
from service.telemetry.attributes import Attributes
from service.telemetry.propagation import Metadata, remote_parent
from service.telemetry.signals import signals
from service.telemetry.spans import Span

OK = "OK"
CANCELLED = "CANCELLED"
DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
UNIMPLEMENTED = "UNIMPLEMENTED"

CUT_OFF = (asyncio.CancelledError, GeneratorExit, grpc.aio.InternalError)
"""What a handler raises when its caller has left; the last one when it was writing."""

SERVER_ERRORS = frozenset(
    {"UNKNOWN", DEADLINE_EXCEEDED, UNIMPLEMENTED, "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)
"""By the conventions, all other statuses are no error of the server."""

DEADLINE_SLACK_S = 0.1
DEADLINE_SLACK_SHARE = 0.01
"""How long before the deadline a cancellation counts as the deadline; see the top of the module."""

UNKNOWN_METHOD = "_OTHER"
MAX_METHOD_CHARACTERS = 128


class Call:
    """One call, from its metadata to its status. `span` is None after its end."""

    __slots__ = ("_began", "_callbacks", "_cut_off", "_due_at", "_labels", "span")

    def __init__(self, span: Span, labels: dict[str, str]) -> None:
        self.span: Span | None = span
        self._labels = labels
        self._began = time.perf_counter()
        self._callbacks: list[Callable[[], object]] = []
        self._due_at: float | None = None
        self._cut_off = ""

    def due_in(self, seconds: float | None) -> None:
        """Set the caller's deadline, in seconds from now. None: it has none."""
        if seconds is not None:
            slack = DEADLINE_SLACK_S + DEADLINE_SLACK_SHARE * seconds
            self._due_at = time.perf_counter() + seconds - slack

    def cut_off(self) -> str:
        """Return the status of a call that ends from outside now. Later calls return the same."""
        if not self._cut_off:
            late = self._due_at is not None and time.perf_counter() >= self._due_at
            self._cut_off = DEADLINE_EXCEEDED if late else CANCELLED
        return self._cut_off

    def on_end(self, callback: Callable[[], object]) -> None:
        """Run the callback when the call is over and its status is sent, before its span is exported."""
        self._callbacks.append(callback)

    def end(self, code: str) -> None:
        """End the call with this status. Empty: the status is unknown and no duration is recorded."""
        duration = time.perf_counter() - self._began
        if self.span is not None:
            self.span.end()
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()
        span, self.span = self.span, None
        outcome = {names.RPC_STATUS: code} if code else {}
        if code in SERVER_ERRORS:
            outcome[names.ERROR_TYPE] = code
        if span is not None:
            span.failed = code in SERVER_ERRORS
            span.attributes |= outcome
            span.export()
        if code:
            signals().instruments.rpc_duration.record(duration, self._labels | outcome)


_CALL: ContextVar[Call | None] = ContextVar("call", default=None)


def begin(method: str, metadata: Metadata, *, known: bool = True) -> Call:
    """Begin a call and make it current for the rest of this task, and its span the parent of others.

    The name of a method that is not `known` is the caller's invention; it is no label. Nothing is detached:
    the task serves this call only, and its context ends with it.
    """
    now = signals()
    name = method.removeprefix("/") if known else UNKNOWN_METHOD
    labels = {names.RPC_SYSTEM: "grpc", names.RPC_METHOD: name}
    facts: Attributes = {**labels}
    if not known:
        facts[names.RPC_METHOD_ORIGINAL] = method[:MAX_METHOD_CHARACTERS]
    parent = remote_parent(metadata) if now.tracer is not None else INVALID_SPAN_CONTEXT
    span = Span(now.tracer, name, lambda: facts, SpanKind.SERVER, parent)
    if now.tracer is not None:
        # Not the span itself: a connection dialled in this task keeps the task's context while it is open.
        attach(set_span_in_context(NonRecordingSpan(span.context)))
    call = Call(span, labels)
    _CALL.set(call)
    return call


def current() -> Call | None:
    """Return the call of this task. Returns None outside of a call."""
    return _CALL.get()


def failed(reason: str) -> None:
    """Set the reason for which the current call fails."""
    call = _CALL.get()
    if call is not None and call.span is not None:
        call.span.attributes[names.REASON] = reason
