"""Receive spans by OTLP over HTTP in this process, where no Jaeger is.

It is asked as a Jaeger is, and answers in the JSON of Jaeger's API.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

MAX_BODY_BYTES = 16 * 1024 * 1024


class Receiver:
    """What was received, as traces. It has no page to show them on."""

    ui = ""

    def __init__(self) -> None:
        self.otlp_http = ""
        self._traces: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def traces(self, service: str) -> list[dict[str, Any]]:
        """Return the traces in which the service took part, oldest first."""
        with self._lock:
            found = [
                {
                    "traceID": trace["traceID"],
                    "processes": dict(trace["processes"]),
                    "spans": [*trace["spans"]],
                }
                for trace in self._traces.values()
                if service in trace["processes"]
            ]
        return sorted(found, key=lambda trace: min(span["startTime"] for span in trace["spans"]))

    def take(self, body: bytes) -> None:
        """Keep the spans of one export."""
        request = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
        with self._lock:
            for resource in request.resource_spans:
                service = str(_values(resource.resource.attributes).get("service.name", ""))
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        self._keep(service, span)

    def _keep(self, service: str, span: Span) -> None:
        trace_id = span.trace_id.hex()
        new: dict[str, Any] = {"traceID": trace_id, "processes": {}, "spans": []}
        trace = self._traces.setdefault(trace_id, new)
        trace["processes"][service] = {"serviceName": service}
        trace["spans"].append(_as_jaeger(service, span))


def _as_jaeger(service: str, span: Span) -> dict[str, Any]:
    """Write a span as Jaeger's API does: times in microseconds, its parent and its links as references."""
    tags = _values(span.attributes) | (
        {"error": True} if span.status.code == Status.STATUS_CODE_ERROR else {}
    )
    parents = [("CHILD_OF", span.parent_span_id)] if span.parent_span_id else []
    references = parents + [("FOLLOWS_FROM", link.span_id) for link in span.links]
    return {
        "spanID": span.span_id.hex(),
        "operationName": span.name,
        "processID": service,
        "startTime": span.start_time_unix_nano // 1000,
        "duration": (span.end_time_unix_nano - span.start_time_unix_nano) // 1000,
        "references": [{"refType": kind, "spanID": span_id.hex()} for kind, span_id in references],
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
        "logs": [
            {"timestamp": event.time_unix_nano // 1000, "fields": [{"key": "event", "value": event.name}]}
            for event in span.events
        ],
    }


def _values(attributes: Any) -> dict[str, Any]:
    return {pair.key: _value(pair) for pair in attributes}


def _value(pair: KeyValue) -> Any:
    value: AnyValue = pair.value
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


@contextmanager
def running() -> Iterator[Receiver]:
    """Receive on a free port of loopback until the block ends."""
    receiver = Receiver()

    class Export(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            if self.path == "/v1/traces" and size <= MAX_BODY_BYTES:
                receiver.take(self.rfile.read(size))
                self.send_response(200)
            else:
                self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keep quiet: the terminal belongs to the demo."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Export) as server:
        receiver.otlp_http = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, name="otlp receiver")
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
