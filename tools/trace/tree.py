"""Read a trace of Jaeger's API into a tree of spans, and print it as text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Span:
    """Times are in seconds; those of events count from the start of their span. `links` are span ids."""

    id: str
    name: str
    service: str
    start: float
    duration: float
    tags: Mapping[str, Any]
    events: Sequence[tuple[float, str]]
    links: Sequence[str]
    children: list["Span"] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return bool(self.tags.get("error"))

    def walk(self, depth: int = 0) -> Iterator[tuple[int, "Span"]]:
        """Yield this span and its descendants with their depth, in the order of their start."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


def read(trace: Mapping[str, Any]) -> list[Span]:
    """Return the spans without a parent in the trace; all others are among their descendants."""
    spans: dict[str, Span] = {}
    parents: dict[str, str] = {}
    for raw in sorted(trace["spans"], key=lambda span: span["startTime"]):
        span = _span(raw, trace["processes"])
        spans[span.id] = span
        for reference in raw["references"]:
            if reference["refType"] == "CHILD_OF":
                parents[span.id] = reference["spanID"]
    for span in spans.values():
        if (parent := spans.get(parents.get(span.id, ""))) is not None:
            parent.children.append(span)
    return [span for span in spans.values() if parents.get(span.id, "") not in spans]


def _span(raw: Mapping[str, Any], processes: Mapping[str, Any]) -> Span:
    return Span(
        id=raw["spanID"],
        name=raw["operationName"],
        service=processes[raw["processID"]]["serviceName"],
        start=raw["startTime"] / 1e6,
        duration=raw["duration"] / 1e6,
        tags={tag["key"]: tag["value"] for tag in raw["tags"]},
        events=[((log["timestamp"] - raw["startTime"]) / 1e6, _event(log)) for log in raw["logs"] or ()],
        links=[link["spanID"] for link in raw["references"] if link["refType"] == "FOLLOWS_FROM"],
    )


def _event(log: Mapping[str, Any]) -> str:
    return str(next((pair["value"] for pair in log["fields"] if pair["key"] == "event"), ""))


def lines(root: Span) -> Iterator[str]:
    """Yield the tree as text: a line for each span, then its facts, events and links."""
    for depth, span in root.walk():
        indent = "  " * depth
        at, lasted = milliseconds(span.start - root.start), milliseconds(span.duration)
        yield f"{at} {lasted} {'✗' if span.failed else ' '} {indent}{span.name}  ({span.service})"
        for detail in (facts(span), _phases(span), f"links to {', '.join(span.links)}" if span.links else ""):
            if detail:
                yield f"{'':22}{indent}  {detail}"


def facts(span: Span) -> str:
    """Summarize a span: the status of a call; the transport, context and saved bytes of an attempt."""
    tags = span.tags
    parts = []
    if "rpc.response.status_code" in tags:
        parts.append(str(tags["rpc.response.status_code"]))
    if "trunkline.attempts" in tags:
        parts.append(f"attempts {tags['trunkline.attempts']}")
    if "trunkline.attempt" in tags:
        parts += _of_attempt(tags)
    if "error.type" in tags:
        parts.append(f"error {tags['error.type']}")
    return " · ".join(parts)


def _of_attempt(tags: Mapping[str, Any]) -> Iterator[str]:
    yield f"attempt {tags['trunkline.attempt']}"
    yield f"{tags['trunkline.transport']} ({tags['trunkline.transport.reason']})"
    yield f"{tags['trunkline.context']} ({tags['trunkline.context.reason']})"
    yield f"{tags['trunkline.bytes_sent']} B sent, {tags['trunkline.bytes_saved']} saved"
    if "gen_ai.usage.input_tokens" in tags:
        cached = tags["gen_ai.usage.cache_read.input_tokens"]
        yield (
            f"tokens {tags['gen_ai.usage.input_tokens']} in ({cached} cached),"
            f" {tags['gen_ai.usage.output_tokens']} out"
        )


def _phases(span: Span) -> str:
    return " → ".join(f"{name} {at * 1000:.1f}" for at, name in span.events)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:6.1f} ms"
