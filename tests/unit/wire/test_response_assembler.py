import pytest

from service.domain.errors import Reason, TurnError
from service.domain.events import Completed, Event, Started, TextDelta
from service.wire.response_assembler import DELTAS, UNDERSTOOD, ResponseAssembler
from service.wire.server_events import decode
from tests.unit.wire import server_events
from tests.unit.wire.server_events import created, ended, frame, message, said, text_delta

STARTED = Started("resp_1", "gpt-6", 1700000000.0)


@pytest.fixture
def response():
    response = ResponseAssembler(continuing=False)
    assert apply(response, created()) == [STARTED]
    return response


def apply(response, *frames):
    events: list[Event] = []
    for one in frames:
        response.apply(decode(one, UNDERSTOOD, response.ignored), one, events)
    return events


@pytest.fixture
def handled(monkeypatch):
    """The types of the events that a handler was called for."""
    kinds: list[str] = []
    for kind, handler in ResponseAssembler.HANDLERS.items():
        monkeypatch.setitem(ResponseAssembler.HANDLERS, kind, noting(kinds, handler))
    return kinds


def noting(kinds, handler):
    def noted(response, event, text):
        kinds.append(event.type)
        return handler(response, event, text)

    return noted


# The table


def test_the_table_has_all_types():
    understood = {
        *server_events.BEGINNINGS,
        *server_events.DELTAS,
        *server_events.DONES,
        *server_events.ITEMS,
        *server_events.ENDS,
    }
    assert understood == UNDERSTOOD
    assert ResponseAssembler.HANDLERS.keys() == understood | set(server_events.ERRORS)
    assert set(server_events.DELTAS) == DELTAS


def test_a_new_type_is_one_row(response, monkeypatch):
    made = TextDelta(7, "new")
    monkeypatch.setitem(ResponseAssembler.HANDLERS, "response.new", lambda *_: [made])
    assert apply(response, text_delta("a"), frame("response.new")) == [TextDelta(0, "a"), made]
    assert not response.ignored


# Deltas wait to be merged


def test_deltas_wait_for_the_merge(response):
    assert apply(response, text_delta("a"), text_delta("b")) == []
    assert response.merge() == [TextDelta(0, "ab")]
    assert response.merge() == []


def test_any_other_event_ends_the_wait(response):
    first, last = apply(response, text_delta("a"), text_delta("b"), ended())
    assert first == TextDelta(0, "ab")
    assert isinstance(last, Completed)
    assert response.merge() == ()


def test_a_delta_elsewhere_ends_the_wait(response):
    assert apply(response, text_delta("a"), text_delta("b", content_index=1)) == [TextDelta(0, "a")]
    assert response.merge() == [TextDelta(1, "b")]


def test_what_waits_comes_before_an_error(response):
    with pytest.raises(TurnError) as caught:
        apply(response, text_delta("a"), frame("error", error={"code": "x"}))
    assert caught.value.reason is Reason.UPSTREAM_ERROR
    assert response.merge() == ()
    assert response.partial().parts[0].text == "a"


def test_a_foreign_delta_does_not_end_the_wait(response):
    foreign = frame("response.output_text.delta", output_index=0, delta="x", response_id="resp_9")
    apply(response, text_delta("a"), foreign, text_delta("b"))
    assert response.merge() == [TextDelta(0, "ab")]
    assert response.ignored == {"foreign": 1}


# The last address is kept


def test_further_deltas_of_a_part_need_no_handler(response, handled):
    apply(response, text_delta("a"), text_delta("b"))
    response.merge()
    apply(response, text_delta(""), text_delta("c"))
    assert response.merge() == [TextDelta(0, "c")]
    assert handled == ["response.output_text.delta"]


@pytest.mark.parametrize(
    "between",
    [
        text_delta("x", content_index=1),
        frame("response.output_item.added", output_index=1, item=message(item_id="msg_2")),
        frame("response.new"),
    ],
)
def test_an_event_between_forgets_the_address(response, handled, between):
    apply(response, text_delta("a"), between)
    handled.clear()
    apply(response, text_delta("b"))
    assert handled == ["response.output_text.delta"]


def test_an_empty_delta_opens_nothing(response):
    assert apply(response, text_delta("")) == []
    assert response.merge() == ()
    assert said(response) is None
