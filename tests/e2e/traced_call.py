"""A caller with traces of its own: two turns of one session, under one span. Tells as JSON what it got.

A program, because a process has one tracer provider.
"""

import json
import sys

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from trunkline import Client, Done, TextDelta


def main(address: str, collector: str) -> None:
    provider = TracerProvider(resource=Resource({"service.name": "caller"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{collector}/v1/traces")))
    trace.set_tracer_provider(provider)
    turns = []
    with trace.get_tracer("caller").start_as_current_span("task") as span, Client(address) as client:
        conversation = client.conversation(model="simulated-1")
        for text in ("sim:slow(n=10, delay_ms=20)", "And now?"):
            events = list(conversation.stream(text))
            [done] = [event for event in events if isinstance(event, Done)]
            deltas = sum(isinstance(event, TextDelta) for event in events)
            turns.append({"deltas": deltas, "context": done.report.context})
    provider.shutdown()
    sys.stdout.write(json.dumps({"trace": f"{span.get_span_context().trace_id:032x}", "turns": turns}))


if __name__ == "__main__":
    main(*sys.argv[1:])
