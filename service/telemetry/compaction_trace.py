"""Record one compaction: its span, its measurements and its log line."""

from __future__ import annotations

import logging
import time
from types import TracebackType

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode

from service.domain.compaction import Compacted
from service.domain.messages import CompletionRequest
from service.domain.report import NOBODY, Peer
from service.telemetry import (
    attributes,
    caller_attributes,
    calls,
    endings,
    logs,
    names,
    propagation,
    turn_metrics,
)
from service.telemetry.attributes import Attributes, bounded
from service.telemetry.bounds import truncate
from service.telemetry.calls import Call
from service.telemetry.telemetry import Telemetry

logger = logging.getLogger("service.compaction")


class CompactionTrace:
    """Trace one compaction of `tenant`. It is a context manager around all of it.

    Its span runs with it, since the upstream's own is its child, by the headers of the request.
    """

    def __init__(
        self, telemetry: Telemetry, call: Call | None, tenant: str, request: CompletionRequest
    ) -> None:
        self._telemetry = telemetry
        self._call = call
        self._tenant = tenant
        self._request = request
        self._began = time.perf_counter()
        self._bytes_sent = 0
        self._queue_s = 0.0
        self._compacted: Compacted | None = None
        self._upstream = NOBODY
        self._span: Span = INVALID_SPAN

    def __enter__(self) -> CompactionTrace:
        request = self._request
        logs.bind(session=request.session_id, request_id=request.request_id)
        if self._telemetry.tracer is not None:
            known = attributes.of_operation(request.model, names.SPAN_COMPACT)
            above = self._call.context if self._call is not None else Context()
            name = truncate(f"{names.SPAN_COMPACT} {request.model}")
            self._span = self._telemetry.tracer.start_span(name, above, SpanKind.CLIENT, bounded(known))
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        took_s = time.perf_counter() - self._began
        ending = calls.OK if error is None else endings.of_error(error, self._call)
        if self._span.is_recording():
            self._describe(ending, error)
        self._span.end()
        self._measure(took_s, ending)
        self._log(took_s, ending)

    def headers(self) -> dict[str, str]:
        """Return the headers that make the upstream's spans children of this one."""
        return propagation.headers(self._span.get_span_context())

    def begun(self, upstream: Peer, size: int) -> None:
        """It has its place, and a request of this size, in bytes, is about to be sent to this upstream."""
        self._upstream = upstream
        self._queue_s = time.perf_counter() - self._began
        self._bytes_sent = size

    def answered(self, compacted: Compacted) -> None:
        """The upstream has answered."""
        self._compacted = compacted

    def _caller(self) -> Attributes:
        return self._call.caller if self._call is not None else {}

    def _describe(self, ending: str, error: BaseException | None) -> None:
        request, compacted = self._request, self._compacted
        known: Attributes = {
            names.CONVERSATION: request.session_id,
            names.TENANT: self._tenant,
            names.OPENAI_API: "responses",
            names.QUEUE_S: self._queue_s,
            names.BYTES_SENT: self._bytes_sent,
            names.ENDING: ending,
            **self._caller(),
        }
        if self._upstream is not NOBODY:
            known |= attributes.of_upstream(self._upstream)
        if request.request_id:
            known[names.REQUEST_ID] = request.request_id
        if ending != calls.OK:
            self._span.set_status(StatusCode.ERROR)
            known |= attributes.of_failure(ending, error)
        if compacted is not None:
            known[names.RESPONSE_ID] = compacted.response_id
            if compacted.usage is not None:
                known |= attributes.of_usage(compacted.usage)
            if compacted.ignored:
                known[names.IGNORED_EVENTS] = tuple(sorted(compacted.ignored))
        self._span.set_attributes(bounded(known))

    def _measure(self, took_s: float, ending: str) -> None:
        telemetry, compacted = self._telemetry, self._compacted
        if compacted is not None:  # the upstream accepted the name, so it may be a label
            telemetry.model.admit(self._request.model)
        model = telemetry.model(self._request.model)
        labels = attributes.of_operation(model, names.SPAN_COMPACT)
        failed = {names.ERROR_TYPE: ending} if ending != calls.OK else {}
        telemetry.instruments.operation_duration.record(took_s, labels | failed)
        if compacted is not None and compacted.usage is not None:
            turn_metrics.measure_usage(telemetry.instruments, compacted.usage, labels)
            turn_metrics.count_tokens(telemetry, self._tenant, model, compacted.usage)

    def _log(self, took_s: float, ending: str) -> None:
        fields: dict[str, object] = {
            "ending": ending,
            "tenant": self._tenant,
            "model": self._request.model,
            "bytes_sent": self._bytes_sent,
            "total_s": round(took_s, 4),
            **caller_attributes.log_fields(self._caller()),
        }
        if (compacted := self._compacted) is not None:
            fields |= {"response_id": compacted.response_id, "messages": len(compacted.messages)}
            if compacted.usage is not None:
                fields |= {
                    "input_tokens": compacted.usage.input_tokens,
                    "cached_input_tokens": compacted.usage.cached_input_tokens,
                    "output_tokens": compacted.usage.output_tokens,
                }
        logger.info("compaction", extra=fields)
