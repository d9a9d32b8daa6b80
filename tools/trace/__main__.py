"""Run the demo, and print the tree of each turn: `python -m tools.trace`. With Jaeger where there is one."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tools.demo import conversation
from tools.trace import jaeger, picture, receiver, tree

HOW_TO_GET_JAEGER = """
No Jaeger was found, so nothing but the trees was kept. Either of these provides one:
  - its release, on PATH or named by JAEGER_BIN: https://www.jaegertracing.io/download/
  - make up: the whole deployment in containers, with Jaeger; its address is printed
"""
CALLER = "demo"
SERVICE = "trunkline"
TURN = "trunkline.v1.CompletionService/StreamCompletion"
ARRIVAL_TIMEOUT_S = 20.0
LOOPBACK = "127.0.0.1,localhost"


class Collector(Protocol):
    """Where spans go, and who is asked for them. `ui` is empty where no page shows them."""

    @property
    def ui(self) -> str: ...
    @property
    def otlp_http(self) -> str: ...

    def traces(self, service: str) -> list[dict[str, Any]]:
        """Return the traces in which the service took part, oldest first, in the JSON of Jaeger's API."""


def without_proxy(environ: Mapping[str, str]) -> str:
    """Return NO_PROXY with loopback added. The service inherits it, and may need a proxy upstream."""
    excluded = environ.get("no_proxy") or environ.get("NO_PROXY")
    return ",".join(filter(None, (excluded, LOOPBACK)))


@contextmanager
def traced(collector: Collector) -> Iterator[None]:
    """Export the caller's spans, and set the environment so that the service exports its own."""
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.otlp_http
    os.environ["OTEL_METRICS_EXPORTER"] = "none"
    os.environ["OTEL_BSP_SCHEDULE_DELAY"] = "100"
    provider = TracerProvider(resource=Resource.create({"service.name": CALLER}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()


def turns_of(collector: Collector) -> list[dict[str, Any]]:
    """Return the traces of all turns, once each has spans of both the caller and the service."""
    deadline = time.monotonic() + ARRIVAL_TIMEOUT_S
    while time.monotonic() < deadline:
        found = [one for one in collector.traces(CALLER) if _complete(one)]
        if found and len(found) == len(collector.traces(SERVICE)):
            return found
        time.sleep(0.2)
    return collector.traces(CALLER)


def _complete(found: dict[str, Any]) -> bool:
    return [span["operationName"] for span in found["spans"]].count(TURN) == 2


def _examples(turns: list[dict[str, Any]]) -> list[tuple[str, tree.Span]]:
    """Return three different turns of the demo, with titles."""
    titles = {
        0: "First turn: opens a connection",
        1: "Next turn: the connection is warm",
        -1: "No WebSocket available: by SSE",
    }
    return [(title, tree.read(turns[index])[0]) for index, title in titles.items()]


def show(collector: Collector, say: Callable[[str], None]) -> list[dict[str, Any]]:
    turns = turns_of(collector)
    for number, found in enumerate(turns, 1):
        page = f"{collector.ui}/trace/" if collector.ui else "trace "
        say(f"\nturn {number}  {page}{found['traceID']}")
        say("     start    lasted")
        for root in tree.read(found):
            for line in tree.lines(root):
                say(line)
    return turns


def collecting() -> AbstractContextManager[Collector]:
    """Return a Jaeger that runs until the block ends; where there is none, a receiver in this process."""
    program = jaeger.find()
    return receiver.running() if program is None else jaeger.running(program)


def main() -> int:
    parser = argparse.ArgumentParser(description="The demo, and what each turn did, as a tree.")
    parser.add_argument("--picture", type=Path, help="write the turns as SVG, too")
    parser.add_argument("--once", action="store_true", help="do not stay until Enter")
    chosen = parser.parse_args()
    os.environ["no_proxy"] = without_proxy(os.environ)
    with collecting() as collector:
        with traced(collector):
            code = conversation.run([])
        turns = show(collector, lambda line: print(line, flush=True))
        if chosen.picture:
            chosen.picture.write_text(picture.draw(_examples(turns)), encoding="utf-8")
        if not collector.ui:
            print(HOW_TO_GET_JAEGER)
        elif not chosen.once and sys.stdin.isatty():
            input(f"\nJaeger: {collector.ui}  (Enter ends it) ")
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
