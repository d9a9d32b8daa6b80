"""What a turn says of itself before, while and after its exchange runs."""

from types import SimpleNamespace
from typing import Any, cast

from service.domain.messages import CompletionRequest
from service.domain.turn_record import TurnRecord
from service.sessions.turn_facts import TurnFacts

ENDPOINT = cast(Any, "endpoint")


def facts() -> Any:
    record = TurnRecord("one", CompletionRequest("s", "m", ()), lambda: 1.0, lambda: 2.0)
    return TurnFacts(record, ENDPOINT)


def test_before_anything_is_sent_there_is_nothing():
    turn = facts()
    assert (turn.dispatched, turn.completed, turn.size) == (False, False, 0)
    assert turn.usage is None
    assert turn.partial() is None
    assert (turn.endpoint, turn.report().attempts, turn.view().last_sequence) == (ENDPOINT, 0, 0)
    assert repr(turn) == "Turn(, TurnRecord(Progress(new, 0 dispatched), websocket))"


def test_while_an_exchange_waits_only_it_knows_whether_something_was_sent():
    turn = facts()
    turn._exchange = SimpleNamespace(dispatched=True, size=7, usage="usage", partial=lambda: "so far")
    assert (turn.dispatched, turn.size, turn.usage, turn.partial()) == (True, 7, "usage", "so far")
