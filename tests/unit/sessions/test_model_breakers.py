"""A model whose turns fail over WebSockets goes by SSE, and the others do not."""

from types import SimpleNamespace
from typing import Any

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.messages import Transport
from service.domain.report import TransportReason
from service.sessions.circuit_breaker import Breaker
from service.sessions.lease import NoConnectionError
from service.sessions.model_breakers import MAX_MODELS, ModelBreakers

BROKEN = TurnError(Reason.UPSTREAM_ERROR, "broken")


def turn(model: str = "m", transport: Transport = Transport.WEBSOCKET, *, streaming: bool = False) -> Any:
    return SimpleNamespace(
        request=SimpleNamespace(model=model),
        transport=transport,
        progress=SimpleNamespace(streaming=streaming),
    )


@pytest.fixture
def breakers(clock) -> ModelBreakers:
    return ModelBreakers(breaker_of(clock), lambda: True)


def breaker_of(clock):
    return lambda: Breaker(60.0, refusals_last=True, clock=clock, random=lambda: 0.0)


def closed(breakers: ModelBreakers, model: str = "m") -> bool:
    try:
        breakers.check(model)
    except NoConnectionError as error:
        return error.why is not TransportReason.MODEL_COOLDOWN
    return True


def test_two_sessions_in_a_row_are_enough_and_one_is_not(breakers):
    for source in ("a", "a", "a"):
        breakers.failed(turn(), BROKEN, source)
        assert closed(breakers)
    breakers.failed(turn(), BROKEN, "b")
    assert not closed(breakers)
    assert closed(breakers, "another"), "only this model"
    assert repr(breakers) == "ModelBreakers(m: Breaker(open, 1 failures))"


def test_an_answer_in_between_clears_it(breakers):
    breakers.failed(turn(), BROKEN, "a")
    breakers.answered(turn())
    breakers.failed(turn(), BROKEN, "b")
    assert closed(breakers)


@pytest.mark.parametrize(
    ("one", "error"),
    [
        (turn(), TurnError(Reason.INVALID_REQUEST, "no")),
        (turn(), TurnError(Reason.RATE_LIMITED, "no")),
        (turn(streaming=True), BROKEN),
    ],
)
def test_a_refusal_and_a_failure_after_content_say_nothing(breakers, one, error):
    for source in "ab":
        breakers.failed(one, error, source)
    assert len(breakers) == 0


def test_the_only_model_in_use_has_no_breaker(clock):
    breakers = ModelBreakers(breaker_of(clock), lambda: False)
    for source in "ab":
        breakers.failed(turn(), BROKEN, source)
    assert closed(breakers)


def test_what_fails_by_sse_too_is_not_the_websockets_fault(breakers):
    for source in "ab":
        breakers.failed(turn(), BROKEN, source)
    breakers.answered(turn(transport=Transport.SSE))
    assert not closed(breakers), "an answer by SSE is what it waits for"
    breakers.failed(turn(transport=Transport.SSE), BROKEN, "c")
    assert closed(breakers)


def test_after_its_pause_one_turn_finds_out(breakers, clock):
    for source in "ab":
        breakers.failed(turn(), BROKEN, source)
    clock.now += 60
    assert [closed(breakers), closed(breakers)] == [True, False]
    breakers.left("m")
    breakers.left("another")
    assert [closed(breakers), closed(breakers)] == [True, False]
    breakers.failed(turn(), BROKEN, "c")
    assert not closed(breakers)
    clock.now += 120
    assert closed(breakers)
    breakers.answered(turn())
    assert closed(breakers)
    assert len(breakers) == 0


def test_only_so_many_models_are_remembered(breakers):
    for number in range(MAX_MODELS + 1):
        breakers.failed(turn(str(number)), BROKEN, "a")
    assert len(breakers) == MAX_MODELS
