import urllib.error
import urllib.request

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Link, StatusCode

from tools.trace import receiver, tree


@pytest.fixture
def collector(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with receiver.running() as running:
        yield running


def tracer(collector, service):
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    exporter = OTLPSpanExporter(endpoint=f"{collector.otlp_http}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("test")


def test_spans_of_the_sdk_become_a_tree_as_jaegers_do(collector):
    caller, service = tracer(collector, "caller"), tracer(collector, "trunkline")
    with caller.start_as_current_span("call") as call:
        links = [Link(call.get_span_context())]
        with service.start_as_current_span(
            "server", attributes={"trunkline.attempts": 2}, links=links
        ) as span:
            span.add_event("sent")
            span.set_status(StatusCode.ERROR)
    with caller.start_as_current_span("another"):
        pass

    [trace] = collector.traces("trunkline")
    assert len(collector.traces("caller")) == 2
    [root] = tree.read(trace)
    [server] = root.children
    assert (root.name, root.service, root.failed) == ("call", "caller", False)
    assert (server.name, server.service, server.failed) == ("server", "trunkline", True)
    assert server.tags["trunkline.attempts"] == 2
    assert (server.links, [name for _, name in server.events]) == ([root.id], ["sent"])
    assert root.start <= server.start
    assert server.duration <= root.duration


@pytest.mark.parametrize(("path", "size"), [("/v1/metrics", 0), ("/v1/traces", receiver.MAX_BODY_BYTES + 1)])
def test_what_is_no_export_of_spans_is_refused(collector, path, size):
    headers = {"content-length": str(size)}
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(urllib.request.Request(collector.otlp_http + path, b"", headers))
    assert collector.traces("trunkline") == []
