"""What a turn cost and how it ran: `Usage` and `Report`, with names in lower case and times in seconds.

Enums and reasons are open sets: an unknown value is no error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from google.protobuf.duration_pb2 import Duration

from trunkline.gen.trunkline.v1 import completion_pb2 as pb


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens. Cached and cache-write tokens are part of input, reasoning tokens of output.

    `details_json` is the upstream's usage as it wrote it; empty: it sent none.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    total_tokens: int = 0
    details_json: str = ""


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds; None: it did not happen. The last three count from the start of the turn."""

    queue: float | None = None
    connect: float | None = None
    first_event: float | None = None
    first_content: float | None = None
    total: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """How a turn ran, and why so.

    `transport` is "websocket" or "sse", `context` is "full" or "incremental"; the reasons are words such as
    "preferred" or "history_edited". A value that is newer than this client comes through as it is.
    `ignored_events` counts, by type, what the upstream sent and the service did not understand.
    `attached`: this call did not start the turn, but joined one that its turn key names.
    `upstream` is the name of the upstream that answered, and `upstream_reason` why it was that one; empty:
    there is only one.
    """

    response_id: str = ""
    transport: str = ""
    transport_reason: str = ""
    context: str = ""
    context_reason: str = ""
    attempts: int = 0
    connection_reused: bool = False
    timings: Timings = Timings()
    bytes_sent: int = 0
    bytes_saved: int = 0
    ignored_events: Mapping[str, int] = field(default_factory=dict, hash=False)
    attached: bool = False
    upstream: str = ""
    upstream_reason: str = ""

    @property
    def incremental(self) -> bool:
        """Only what the upstream had not seen yet was sent."""
        return self.context == "incremental"


class ProtoEnum(Protocol):
    """What the generated enums have in common."""

    def Name(self, number: int) -> str: ...  # noqa: N802 - protobuf's name


def enum_word(enum: ProtoEnum, prefix: str, number: int) -> str:
    """TRANSPORT_SSE → "sse"; unspecified → ""; a number that this client does not know → its digits."""
    try:
        word = enum.Name(number).removeprefix(prefix).lower()
    except ValueError:
        return str(number)
    return "" if word == "unspecified" else word


def seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9


def usage_from(message: pb.Usage) -> Usage:
    return Usage(
        input_tokens=message.input_tokens,
        cached_input_tokens=message.cached_input_tokens,
        cache_write_tokens=message.cache_write_tokens,
        output_tokens=message.output_tokens,
        reasoning_tokens=message.reasoning_tokens,
        total_tokens=message.total_tokens,
        details_json=message.details_json,
    )


def report_from(message: pb.TurnReport) -> Report:
    return Report(
        response_id=message.response_id,
        transport=enum_word(pb.Transport, "TRANSPORT_", message.transport),
        transport_reason=message.transport_reason,
        context=enum_word(pb.Context, "CONTEXT_", message.context),
        context_reason=message.context_reason,
        attempts=message.attempts,
        connection_reused=message.connection_reused,
        timings=_timings(message.timings),
        bytes_sent=message.bytes_sent,
        bytes_saved=message.bytes_saved,
        ignored_events=dict(message.ignored_events),
        attached=message.attached,
        upstream=message.upstream,
        upstream_reason=message.upstream_reason,
    )


def _timings(message: pb.Timings) -> Timings:
    return Timings(**{one.name: seconds(value) for one, value in message.ListFields()})
