"""One RPC as others see it: its SERVER span, its duration, and which status it really ended with.

Owns the rules for that. Must never know what a call is about. The rule that would be broken first: a call
that was cut off is not OK, whatever status its handler had not come to set.
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
"""What a handler meets whose caller has left; the last when it was writing."""

SERVER_ERRORS = frozenset(
    {"UNKNOWN", DEADLINE_EXCEEDED, UNIMPLEMENTED, "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
)
"""By the conventions, all other statuses are the caller's business, and no error of the server."""

DEADLINE_SLACK_S = 0.1
DEADLINE_SLACK_SHARE = 0.01
"""A caller's deadline passes over there first, and its timeout is rounded up on the way here, by up to a
hundredth. Who is cut off that close to the deadline is taken to have met it.
"""

UNKNOWN_METHOD = "_OTHER"
MAX_METHOD_CHARACTERS = 128


class Call:
    """From the first byte to the status. `span` is None behind its end."""

    __slots__ = ("_began", "_callbacks", "_cut_off", "_due_at", "_labels", "span")

    def __init__(self, span: Span, labels: dict[str, str]) -> None:
        self.span: Span | None = span
        self._labels = labels
        self._began = time.perf_counter()
        self._callbacks: list[Callable[[], object]] = []
        self._due_at: float | None = None
        self._cut_off = ""

    def due_in(self, seconds: float | None) -> None:
        """The caller waits this long and no longer. None: for ever."""
        if seconds is not None:
            slack = DEADLINE_SLACK_S + DEADLINE_SLACK_SHARE * seconds
            self._due_at = time.perf_counter() + seconds - slack

    def cut_off(self) -> str:
        """What it is called when the call ends from outside at this moment. Says the same ever after."""
        if not self._cut_off:
            late = self._due_at is not None and time.perf_counter() >= self._due_at
            self._cut_off = DEADLINE_EXCEEDED if late else CANCELLED
        return self._cut_off

    def on_end(self, callback: Callable[[], object]) -> None:
        """Calls this when the call is over and its status is with the caller, before its span ends."""
        self._callbacks.append(callback)

    def end(self, code: str) -> None:
        """Empty: nobody knows how it ended."""
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
    """A call came in; if its method is not `known`, the name may be anything. The call is the current one,
    and its span the parent of others, for the rest of this task.

    Nothing is ever detached: the task serves this call only, and what is set in it ends with it.
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
        # Not the span itself: a line that is dialled in this task keeps its context for as long as it lives.
        attach(set_span_in_context(NonRecordingSpan(span.context)))
    call = Call(span, labels)
    _CALL.set(call)
    return call


def current() -> Call | None:
    return _CALL.get()


def failed(reason: str) -> None:
    """Our own word for why the current call fails."""
    call = _CALL.get()
    if call is not None and call.span is not None:
        call.span.attributes[names.REASON] = reason
