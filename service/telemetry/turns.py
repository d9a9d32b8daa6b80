"""Publish the spans, metrics and log line of one turn.

The turn reports what happens to its `TurnPublisher`, which keeps it. Spans follow each other:
`session.acquire` until a connection is leased, then one `chat` for each attempt. Everything is built and
published after the call, when no caller waits. Whatever ends the turn, each span that it opened ends with
it and states why.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import partial
from types import TracebackType

from opentelemetry.trace import SpanContext

from service.domain.errors import Reason, TurnError
from service.domain.events import Completed, Started
from service.domain.messages import CompletionRequest
from service.domain.report import TransportReason, TurnReport
from service.telemetry import attributes, calls, logs, names, propagation
from service.telemetry.chat import Chat, ResponseFacts
from service.telemetry.endings import count_tokens, log, measure
from service.telemetry.signals import signals
from service.telemetry.spans import Span

logger = logging.getLogger("service.turn")


class _Current:
    """The publisher of the turn that a task serves, while it runs.

    A connection dialled in a turn keeps that turn's context while it is open, since asyncio reads its socket
    in it. So what stays in a context must be small: this object, and not the request.
    """

    __slots__ = ("publisher",)

    def __init__(self, publisher: TurnPublisher) -> None:
        self.publisher: TurnPublisher | None = publisher


_CURRENT: ContextVar[_Current | None] = ContextVar("current", default=None)


class TurnPublisher:
    """Collect what happens in a turn, from admission to its end, and publish it after the call.

    It is a context manager around the whole turn.
    """

    def __init__(self, tenant: str, request: CompletionRequest) -> None:
        self._tenant = tenant
        self._request = request
        self._call = calls.current()
        self._began = time.perf_counter()
        self._checkout_began: float | None = None
        self._report: Callable[[], TurnReport] | None = None
        self._acquire: Span | None = None
        self._chat: Chat | None = None
        self._phases: list[Span | Chat] = []
        self._waits: list[tuple[float, str]] = []
        self._attempts = 0
        self._completed: Completed | None = None

    def __enter__(self) -> TurnPublisher:
        logs.bind(session=self._request.session_id, request_id=self._request.request_id)
        self._current = _Current(self)
        _CURRENT.set(self._current)
        self._begin_acquire()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._current.publisher = None
        ending = self._ending(error)
        self._close(ending, error)
        report = self._report() if self._report is not None else None
        self._report = None  # a method of the turn, which refers to this publisher: break the cycle
        publish = partial(copy_context().run, self._publish, ending, report)
        if self._call is not None:
            self._call.on_end(publish)
        else:
            publish()

    def _publish(self, ending: str, report: TurnReport | None) -> None:
        """Export all spans, record all measurements and write the log line. The caller has its answer."""
        if self._completed is not None:  # the upstream accepted the name, so it may be a label
            signals().model.admit(self._request.model)
        for phase in self._phases:
            phase.export()
            if isinstance(phase, Chat) and phase.usage is not None:
                count_tokens(self._tenant, self._request.model, phase.usage)
        self._phases.clear()  # each refers to the publisher: break the cycle
        for waited, result in self._waits:
            signals().instruments.checkout.record(waited, {names.LABEL_RESULT: result})
        if self._call is not None and self._call.span is not None and self._call.span.sampled:
            self._call.span.attributes |= self._outcome(ending, report)
        measure(self._tenant, self._request, report, ending)
        log(self._tenant, self._request, report, ending, self._completed)

    # Reported by sessions and transport in this order; from `checkout` on again for each attempt.

    def admitted(self, report: Callable[[], TurnReport]) -> None:
        """The turn was admitted. `report` returns its report at any time."""
        self._report = report
        if self._acquire is not None:
            self._acquire.event(names.EVENT_ADMITTED)
            self._acquire.attributes[names.QUEUE_S] = time.perf_counter() - self._began

    def checkout(self) -> None:
        """The turn asks the pool for a connection."""
        self._checkout_began = time.perf_counter()
        self._begin_acquire()

    def leased(self, dialed: SpanContext | None, *, reused: bool) -> None:
        """The turn has a connection. `dialed` is the span in which that was opened."""
        self._end_checkout("reused" if reused else "dialed")
        if self._acquire is not None:
            self._acquire.event(names.EVENT_LEASED, {names.REUSED: reused})
            if dialed is not None:
                self._acquire.links.append(dialed)

    def attempt(self, report: TurnReport, response: ResponseFacts) -> None:
        """A request is about to be written."""
        self._end_acquire()
        self._attempts += 1
        self._chat = Chat(self._request, report, response, self._attempts)
        self._phases.append(self._chat)

    def sent(self) -> None:
        """A request was written: that of the attempt, or, between two attempts, a warm-up."""
        if self._chat is not None and not self._chat.over:
            self._chat.sent()

    def created(self, started: Started) -> None:
        """The upstream began its response."""
        logger.debug("turn began upstream", extra={"response_id": started.response_id})
        if self._chat is not None:
            self._chat.created(started)

    def first_content(self) -> None:
        """The first content of an attempt arrived."""
        if self._chat is not None:
            self._chat.first_content()

    def completed(self, completed: Completed) -> None:
        """The response is complete. What fails after this does not change the ending."""
        self._completed = completed
        if self._chat is not None:
            self._chat.completed(completed)

    def failed(self, error: TurnError) -> None:
        """The attempt failed, or no connection was available. The turn may continue."""
        reason = error.reason.value
        logger.debug("attempt failed", extra={"reason": reason, "attempt": self._attempts})
        self._end_checkout(reason)
        self._close(reason, error)

    def fell_back(self, why: TransportReason) -> None:
        """The turn continues over SSE."""
        signals().instruments.fallbacks.add(1, {names.LABEL_CAUSE: why.value})

    def replayed(self, error: TurnError) -> None:
        """A request that was sent is about to be sent again."""
        signals().instruments.replays.add(1, {names.LABEL_CAUSE: error.reason.value})

    def _begin_acquire(self) -> None:
        if self._acquire is None:
            self._acquire = Span(signals().tracer, names.SPAN_ACQUIRE, self._identity)
            self._phases.append(self._acquire)

    def _identity(self) -> attributes.Attributes:
        return {names.CONVERSATION: self._request.session_id, names.TENANT: self._tenant}

    def _end_checkout(self, result: str) -> None:
        if self._checkout_began is not None:
            self._waits.append((time.perf_counter() - self._checkout_began, result))
            self._checkout_began = None

    def _end_acquire(self) -> None:
        if self._acquire is not None:
            self._acquire.end()
            self._acquire = None

    def _close(self, ending: str, error: BaseException | None) -> None:
        """End every open span."""
        if self._acquire is not None:
            self._acquire.fail(attributes.of_failure(ending, error))
            self._end_acquire()
        if self._chat is not None:
            self._chat.end(ending, error)

    def _ending(self, error: BaseException | None) -> str:
        """Return the ending: OK if the answer is complete, whatever fails after it; else the reason of a
        TurnError; else the status of a call that was cut off; else INTERNAL, for a bug.
        """
        if self._completed is not None:
            return calls.OK
        if isinstance(error, TurnError):
            return error.reason.value
        if error is None or isinstance(error, calls.CUT_OFF):
            return self._call.cut_off() if self._call is not None else calls.CANCELLED
        return Reason.INTERNAL.value

    def _outcome(self, ending: str, report: TurnReport | None) -> attributes.Attributes:
        """Return the attributes of the turn that the call's span shows too."""
        outcome = self._identity() | {names.ENDING: ending}
        if self._request.request_id:
            outcome[names.REQUEST_ID] = self._request.request_id
        if report is not None:
            outcome |= attributes.of_report(report)
            outcome[names.ATTEMPTS] = report.attempts
        return outcome

    @property
    def span(self) -> Span | None:
        """The open span: the parent of what happens now."""
        if self._acquire is not None:
            return self._acquire
        return self._chat.span if self._chat is not None else None


def _publisher() -> TurnPublisher | None:
    current = _CURRENT.get()
    return current.publisher if current is not None else None


def sent() -> None:
    """Report that a request of this task's turn was written."""
    publisher = _publisher()
    if publisher is not None:
        publisher.sent()


def trace_headers() -> dict[str, str]:
    """Return the headers that make the upstream's spans children of the open span."""
    publisher = _publisher()
    span = publisher.span if publisher is not None else None
    return propagation.headers(span.context) if span is not None else {}


def parent() -> SpanContext | None:
    """Return the parent of a span that another layer opens now. None: the call's span, if there is one."""
    publisher = _publisher()
    span = publisher.span if publisher is not None else None
    return span.context if span is not None else None
