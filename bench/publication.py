"""Measure what one turn's telemetry costs: `python -m bench.publication`.

Prints, for each of several set-ups, the CPU of one turn's telemetry in microseconds: of the call before its
status is sent, while a caller waits, and of the publication after it. The turn has one attempt over a
connection that was reused. Exported spans are discarded; their encoding is measured on its own.
"""

import sys
import time
from collections.abc import Callable, Sequence

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler

from service.domain.events import Completed, Started, StopReason, TextDelta, Usage
from service.domain.messages import CompletionRequest, Message, Role, TextPart
from service.domain.plan import ContextReason, Plan
from service.domain.turn_record import TurnRecord
from service.telemetry import calls
from service.telemetry.gauges import Gauges
from service.telemetry.instruments import Instruments, views
from service.telemetry.light_spans import LightTracer
from service.telemetry.setup import span_limits
from service.telemetry.telemetry import OFF, SCOPE, Telemetry
from service.telemetry.turn_publisher import TurnTrace

ROUNDS, TURNS = 15, 200
REQUEST = CompletionRequest("session-1", "gpt-1", (Message(Role.USER, (TextPart("Hello."),)),))
USAGE = Usage(5, 4, 0, 3, 1, 8)
ANSWER = Message(Role.ASSISTANT, (TextPart("Hello."),))
COMPLETED = Completed("resp_1", "gpt-1", 1.0, ANSWER, StopReason.STOP, USAGE, continuable=True)
METHOD = "/trunkline.v1.CompletionService/StreamCompletion"


class Response:
    """What an exchange knows of its request and its answer."""

    plan = Plan((), "", ContextReason.FIRST_TURN)
    bytes_sent, bytes_saved = 1000, 9000
    dispatched = True
    usage = USAGE
    ignored: dict[str, int] = {}  # noqa: RUF012  nobody writes it

    def __init__(self) -> None:
        self.sent_at = time.monotonic()


class Discard(SpanExporter):
    """Keep the spans of the last turn."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans = [*self.spans[-2:], *spans]
        return SpanExportResult.SUCCESS


def turn(telemetry: Telemetry) -> calls.Call:
    """Run one turn, and return its call, which is still to be ended."""
    call = calls.begin(telemetry, METHOD, ())
    record = TurnRecord("tenant", REQUEST, time.monotonic, time.time)
    with TurnTrace(telemetry, call, record):
        record.admitted("turn-1")
        record.asked()
        record.leased(reused=True, connect_s=0.0, dial=None)
        response = Response()
        record.planned(response)
        record.dispatch(response)
        record.admit(Started("resp_1", "gpt-1", 1.0))
        record.admit(TextDelta(0, "Hello."))
        record.admit(COMPLETED)
    return call


def telemetry_of(sampler: Sampler | None, *, light: bool = True) -> tuple[Telemetry, Discard]:
    """Return metrics as they are set up by default, with spans of this sampler, the SDK's or light ones."""
    discard = Discard()
    reader = InMemoryMetricReader()
    meters = MeterProvider(
        [reader], exemplar_filter=AlwaysOffExemplarFilter(), shutdown_on_exit=False, views=views()
    )
    meter = meters.get_meter(SCOPE)
    tracer = None
    if sampler is not None:
        tracers = TracerProvider(sampler, shutdown_on_exit=False, span_limits=span_limits())
        processor = SimpleSpanProcessor(discard)
        tracers.add_span_processor(processor)
        tracer = LightTracer(tracers, processor, SCOPE) if light else tracers.get_tracer(SCOPE)
    return Telemetry(tracer, Instruments(meter), Gauges(meter)), discard


def measured(telemetry: Telemetry) -> tuple[float, float]:
    """Return the CPU of a turn and that of its publication, in microseconds."""
    began = time.process_time()
    ended = [turn(telemetry) for _ in range(TURNS)]
    between = time.process_time()
    for call in ended:
        call.end("OK")
    return (between - began) / TURNS * 1e6, (time.process_time() - between) / TURNS * 1e6


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    write = sys.stdout.write
    setups = {
        "off": (OFF, Discard()),
        "metrics": telemetry_of(None),
        "metrics, spans not sampled": telemetry_of(ParentBased(ALWAYS_OFF)),
        "metrics and spans of the SDK": telemetry_of(ALWAYS_ON, light=False),
        "metrics and spans": telemetry_of(ALWAYS_ON),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in setups}
    for _ in range(ROUNDS):
        for name, (telemetry, _discard) in setups.items():
            found[name].append(measured(telemetry))
    for name, rounds in found.items():
        during, after = (min(values) for values in zip(*rounds, strict=True))
        write(f"{name:30} {during:6.1f} µs while the caller waits, {after:6.1f} µs after\n")
    spans = setups["metrics and spans"][1].spans
    encoding = min(seconds(lambda: encode_spans(spans).SerializeToString()) for _ in range(ROUNDS * TURNS))
    name = "encoding of its spans"
    write(f"{name:30} {encoding * 1e6:6.1f} µs in the exporter's thread, {len(spans)} spans\n")


if __name__ == "__main__":
    main()
