"""Records of turns as a turn would have written them, with a clock that counts tenths of a second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from service.domain.errors import Reason, TurnError
from service.domain.events import Completed, Started, StopReason, TextDelta, Usage
from service.domain.messages import CompletionRequest, Message, Options, Role, TextPart, Transport
from service.domain.plan import ContextReason, Plan
from service.domain.turn_record import TurnRecord

BEGAN_S = 1_000.0
WALL_S = 1_700_000_000.0
TICK_S = 0.1
REQUEST = CompletionRequest("s", "gpt-1", (Message(Role.USER, (TextPart("s3cret"),)),), request_id="r-1")
OVER_HTTP = CompletionRequest("s", "gpt-1", (), options=Options(transport=Transport.SSE))
USAGE = Usage(5, 4, 0, 3, 1, 8)
STARTED = Started("resp_1", "gpt-1", 1.0)
COMPLETED = Completed(
    "resp_1", "gpt-1", 1.0, Message(Role.ASSISTANT, (TextPart("s3cret"),)), StopReason.STOP, USAGE, True
)
LOST = TurnError(Reason.CONNECTION_LOST, "s3cret")


@dataclass
class Response:
    """What an exchange knows of its request and its answer."""

    plan: Plan = field(default_factory=lambda: Plan((), "", ContextReason.FIRST_TURN))
    dispatched: bool = True
    sent_at: float | None = None
    bytes_sent: int = 10
    bytes_saved: int = 90
    usage: Usage | None = USAGE
    ignored: Mapping[str, int] = field(default_factory=dict)


def ticking() -> Iterator[float]:
    return (BEGAN_S + TICK_S * number for number in count())


def a_record(request: CompletionRequest = REQUEST) -> TurnRecord:
    """A turn that has just begun."""
    ticks = ticking()
    return TurnRecord("one", request, lambda: next(ticks), lambda: WALL_S)


def admit(record: TurnRecord) -> TurnRecord:
    """The turn has its place."""
    record.admitted("t1")
    return record


def lease(record: TurnRecord, *, dial: object | None = None) -> TurnRecord:
    """The turn has a connection, which it dialled if there is a `dial`."""
    record.asked()
    record.leased(reused=dial is None, connect_s=0.0 if dial is None else TICK_S, dial=dial)
    return record


def attempt(record: TurnRecord, response: Response | None = None, *, content: bool = True) -> TurnRecord:
    """The request is written, and the upstream has begun to answer, with content or without."""
    response = response or Response()
    record.planned(response)
    response.sent_at = record.phases[-1].began + TICK_S / 2
    record.dispatch(response)
    record.admit(STARTED)
    if content:
        record.admit(TextDelta(0, "Hel"))
    return record


def answered(record: TurnRecord | None = None, *, dial: object | None = None) -> TurnRecord:
    """A turn with its whole answer, which is still to be ended."""
    record = attempt(lease(admit(record or a_record()), dial=dial))
    record.admit(COMPLETED)
    return record
