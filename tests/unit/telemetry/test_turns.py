"""A turn as its spans and counts show it, without a turn."""

import asyncio

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.messages import CompletionRequest
from service.telemetry import names, turns
from tests.watching import watching

REQUEST = CompletionRequest("s", "gpt-1", ())


def run(error: BaseException | None) -> None:
    with turns.TurnPublisher("one", REQUEST):
        assert turns.parent() is not None
        assert "traceparent" in turns.trace_headers()
        if error is not None:
            raise error


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (TurnError(Reason.OVERLOADED, "full"), "OVERLOADED"),
        (asyncio.CancelledError(), "CANCELLED"),
        (ValueError("s3cret"), "INTERNAL"),
    ],
)
def test_a_turn_is_counted_by_what_ended_it(error, ending):
    with watching() as seen:
        with pytest.raises(type(error)):
            run(error)
        endings = [dict(labels)[names.LABEL_ENDING] for labels in seen.points(names.TURNS)]
        assert endings == [ending]
        assert not any("s3cret" in span.to_json() for span in seen.spans)


def test_a_turn_that_was_left_is_cancelled():
    with watching() as seen:
        run(None)
        assert seen.count(names.TURNS, **{names.LABEL_ENDING: "CANCELLED"}) == 1


def test_after_its_end_a_turn_is_no_parent():
    with watching():
        run(None)
        assert turns.parent() is None
        assert turns.trace_headers() == {}
