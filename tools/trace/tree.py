"""A trace of Jaeger's API, as a tree: `Span`, and how it reads as text.

Owns the reading of that API's JSON. Must never ask for it.
"""

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
        """This span and all below it, in the order in which they began."""
        yield depth, self
        for child in self.children:
            yield from child.walk(depth + 1)


def read(trace: Mapping[str, Any]) -> list[Span]:
    """The spans that have no parent in the trace, with all others below them."""
    spans: dict[str, Span] = {}
    parents: dict[str, str] = {}
    for told in sorted(trace["spans"], key=lambda span: span["startTime"]):
        span = _span(told, trace["processes"])
        spans[span.id] = span
        for reference in told["references"]:
            if reference["refType"] == "CHILD_OF":
                parents[span.id] = reference["spanID"]
    for span in spans.values():
        if (parent := spans.get(parents.get(span.id, ""))) is not None:
            parent.children.append(span)
    return [span for span in spans.values() if parents.get(span.id, "") not in spans]


def _span(told: Mapping[str, Any], processes: Mapping[str, Any]) -> Span:
    return Span(
        id=told["spanID"],
        name=told["operationName"],
        service=processes[told["processID"]]["serviceName"],
        start=told["startTime"] / 1e6,
        duration=told["duration"] / 1e6,
        tags={tag["key"]: tag["value"] for tag in told["tags"]},
        events=[((log["timestamp"] - told["startTime"]) / 1e6, _event(log)) for log in told["logs"] or ()],
        links=[link["spanID"] for link in told["references"] if link["refType"] == "FOLLOWS_FROM"],
    )


def _event(log: Mapping[str, Any]) -> str:
    return str(next((pair["value"] for pair in log["fields"] if pair["key"] == "event"), ""))


def lines(root: Span) -> Iterator[str]:
    """The tree as text: a line for each span, and below it what it says and what happened within it."""
    for depth, span in root.walk():
        indent = "  " * depth
        at, lasted = milliseconds(span.start - root.start), milliseconds(span.duration)
        yield f"{at} {lasted} {'✗' if span.failed else ' '} {indent}{span.name}  ({span.service})"
        for detail in (facts(span), _phases(span), f"links to {', '.join(span.links)}" if span.links else ""):
            if detail:
                yield f"{'':22}{indent}  {detail}"


def facts(span: Span) -> str:
    """What a line says of a span: how a call ended; which way an attempt took, and what it saved."""
    tags = span.tags
    told = []
    if "rpc.response.status_code" in tags:
        told.append(str(tags["rpc.response.status_code"]))
    if "trunkline.attempts" in tags:
        told.append(f"attempts {tags['trunkline.attempts']}")
    if "trunkline.attempt" in tags:
        told += _of_attempt(tags)
    if "error.type" in tags:
        told.append(f"error {tags['error.type']}")
    return " · ".join(told)


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
