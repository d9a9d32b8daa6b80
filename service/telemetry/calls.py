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
from typing import TYPE_CHECKING

import grpc
from opentelemetry.context import Context, attach
from opentelemetry.trace import INVALID_SPAN, INVALID_SPAN_CONTEXT, Span, SpanContext, SpanKind, StatusCode

from service.telemetry import caller_attributes, names, propagation
from service.telemetry.attributes import Attributes, bounded
from service.telemetry.propagation import Metadata, remote_parent

if TYPE_CHECKING:
    from service.telemetry.telemetry import Telemetry

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
    """One call, from its metadata to its status.

    `caller` is what the caller says of itself.

    `context` holds the ids of its span, for its children, and not the span itself: a connection dialled in
    the call's task keeps the task's context while it is open. Without tracing it is empty.
    """

    __slots__ = (
        "_began",
        "_began_ns",
        "_callbacks",
        "_cut_off",
        "_due_at",
        "_labels",
        "_over",
        "_span",
        "_telemetry",
        "caller",
        "context",
    )

    def __init__(
        self,
        telemetry: Telemetry,
        labels: dict[str, str],
        facts: Attributes,
        parent: SpanContext,
        caller: Attributes = caller_attributes.NOTHING,
    ) -> None:
        """Begin. `labels` are those of the duration, `facts` other attributes of the span."""
        self.caller = caller
        self._telemetry = telemetry
        self._labels = labels
        self._callbacks: list[Callable[[], object]] = []
        self._due_at: float | None = None
        self._cut_off = ""
        self._over = False
        self._began = time.perf_counter()
        self._began_ns = time.time_ns()
        self._span: Span = INVALID_SPAN
        self.context = Context()
        if telemetry.tracer is not None:
            self._span = telemetry.tracer.start_span(
                labels[names.RPC_METHOD],
                propagation.context_of(parent),
                SpanKind.SERVER,
                bounded(labels | facts | caller),
                start_time=self._began_ns,
            )
            self.context = propagation.context_of(self._span.get_span_context())

    @property
    def recording(self) -> bool:
        """Whether the call is not over and its span will be exported."""
        return self._span.is_recording()

    def annotate(self, attributes: Attributes) -> None:
        """Add these attributes to the call's span."""
        self._span.set_attributes(bounded(attributes))

    def due_in(self, seconds: float | None) -> None:
        """Set the caller's deadline, in seconds from now. None: it has none."""
        if seconds is not None:
            slack = DEADLINE_SLACK_S + DEADLINE_SLACK_SHARE * seconds
            self._due_at = time.perf_counter() + seconds - slack

    def cut_off(self) -> str:
        """Return the status of a call that ends from outside now. Later calls return the same.

        CANCELLED after a call that ended otherwise, for a turn that outlives it: the deadline is not why.
        """
        if not self._cut_off:
            late = self._due_at is not None and time.perf_counter() >= self._due_at
            self._cut_off = DEADLINE_EXCEEDED if late else CANCELLED
        return self._cut_off

    def on_end(self, callback: Callable[[], object]) -> None:
        """Run the callback when the call is over and its status is sent, before its span is exported.

        Run it now if the call is over: a turn may outlive its call.
        """
        if self._over:
            callback()
        else:
            self._callbacks.append(callback)

    def end(self, code: str) -> None:
        """End the call with this status. Empty: the status is unknown and no duration is recorded."""
        duration = time.perf_counter() - self._began
        self._over = True
        self._cut_off = self._cut_off or CANCELLED
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()
        outcome = {names.RPC_STATUS: code} if code else {}
        if code in SERVER_ERRORS:
            outcome[names.ERROR_TYPE] = code
        span, self._span = self._span, INVALID_SPAN
        if span.is_recording():
            span.set_attributes(outcome)
            if code in SERVER_ERRORS:
                span.set_status(StatusCode.ERROR)
        span.end(self._began_ns + round(duration * 1e9))
        if code:
            self._telemetry.instruments.rpc_duration.record(duration, self._labels | outcome)


_CALL: ContextVar[Call | None] = ContextVar("call", default=None)
"""grpc.aio passes nothing from an interceptor to the handler but the task's context. The services read it
once, and pass the call on as an argument.
"""


def begin(telemetry: Telemetry, method: str, metadata: Metadata, *, known: bool = True) -> Call:
    """Begin a call and make it current for the rest of this task, for the handler and for the log.

    The name of a method that is not `known` is the caller's invention; it is no label. Nothing is detached:
    the task serves this call only, and its context ends with it.
    """
    labels = {
        names.RPC_SYSTEM: "grpc",
        names.RPC_METHOD: method.removeprefix("/") if known else UNKNOWN_METHOD,
    }
    facts: Attributes = {} if known else {names.RPC_METHOD_ORIGINAL: method[:MAX_METHOD_CHARACTERS]}
    tracing = telemetry.tracer is not None
    parent = remote_parent(metadata) if tracing else INVALID_SPAN_CONTEXT
    caller = caller_attributes.of_metadata(telemetry.caller_attributes, metadata)
    call = Call(telemetry, labels, facts, parent, caller)
    if tracing:
        attach(call.context)
    _CALL.set(call)
    return call


def current() -> Call | None:
    """Return the call of this task. Returns None outside of a call."""
    return _CALL.get()


def failed(reason: str) -> None:
    """Set the reason for which the current call fails."""
    call = _CALL.get()
    if call is not None and call.recording:
        call.annotate({names.REASON: reason})
