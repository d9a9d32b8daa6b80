"""An OTLP receiver in the process of the test, over HTTP and over gRPC.

It keeps what was received, as protobuf. A deaf one takes connections and never answers: a dead collector.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from aiohttp import web
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

from tests.tcp import tcp_server


@dataclass
class Received:
    """`headers` are those of the latest request."""

    spans: list[Any] = field(default_factory=list)
    metrics: set[str] = field(default_factory=set)
    resource: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def names(self) -> set[str]:
        return {span.name for span in self.spans}

    def take_traces(self, request: Any) -> None:
        for resource in request.resource_spans:
            self._take_resource(resource.resource)
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def take_metrics(self, request: Any) -> None:
        for resource in request.resource_metrics:
            self._take_resource(resource.resource)
            for scope in resource.scope_metrics:
                self.metrics |= {metric.name for metric in scope.metrics}

    def _take_resource(self, resource: Any) -> None:
        self.resource |= {pair.key: pair.value.string_value for pair in resource.attributes}


@asynccontextmanager
async def http_receiver() -> AsyncIterator[tuple[Received, str]]:
    """What it receives, and where."""
    received = Received()

    async def take(request: web.Request) -> web.Response:
        received.headers = dict(request.headers)
        if request.path == "/v1/traces":
            received.take_traces(traces.ExportTraceServiceRequest.FromString(await request.read()))
        else:
            received.take_metrics(metrics.ExportMetricsServiceRequest.FromString(await request.read()))
        return web.Response(body=b"", content_type="application/x-protobuf")

    app = web.Application()
    app.add_routes([web.post("/v1/traces", take), web.post("/v1/metrics", take)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield received, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def grpc_receiver() -> AsyncIterator[tuple[Received, str]]:
    """What it receives, and where."""
    received = Received()

    class Traces(trace_service_pb2_grpc.TraceServiceServicer):
        async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802  so it is called there
            received.headers = dict(context.invocation_metadata())
            received.take_traces(request)
            return traces.ExportTraceServiceResponse()

    class Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
        async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802  so it is called there
            received.take_metrics(request)
            return metrics.ExportMetricsServiceResponse()

    server = grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Traces(), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(Metrics(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield received, f"http://127.0.0.1:{port}"
    finally:
        await server.stop(0)


@asynccontextmanager
async def deaf_receiver() -> AsyncIterator[str]:
    """Where nobody ever answers."""

    async def take(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with tcp_server(take) as port:
        yield f"http://127.0.0.1:{port}"
