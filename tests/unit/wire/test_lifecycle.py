import pytest

from service.domain.events import Started, StopReason, Usage
from service.domain.messages import Message, Role, TextPart, ToolCallPart
from service.wire.lifecycle import (
    INCOMPLETE,
    MAX_CREATED_AT,
    MAX_ID_CHARACTERS,
    MAX_MODEL_CHARACTERS,
    completed,
    id_of,
    started,
    why_cut,
)
from service.wire.server_events import IncompleteDetails, Response

ANSWER = Message(Role.ASSISTANT, (TextPart("hi"),))
BEGUN = Started("r", "begun", 5.0)


def end(response, message=ANSWER, *, response_id="r", cut=None, is_waiting=False, answered=()):
    return completed(
        response,
        BEGUN,
        message,
        response_id=response_id,
        usage=None,
        cut=cut,
        is_waiting=is_waiting,
        answered=answered,
    )


def test_ids_and_models_are_cut():
    assert id_of(Response(id="r" * 1000)) == "r" * MAX_ID_CHARACTERS
    assert id_of(Response()) == ""
    assert started("r", Response(model="m" * 1000)).model == "m" * MAX_MODEL_CHARACTERS
    assert end(Response(model="m" * 1000)).model == "m" * MAX_MODEL_CHARACTERS


@pytest.mark.parametrize(
    ("sent", "reported"),
    [(0.5, 0.5), (MAX_CREATED_AT, MAX_CREATED_AT), (MAX_CREATED_AT * 1000, 0), (-1, 0), (None, 0)],
)
def test_an_impossible_time_is_not_reported(sent, reported):
    assert started("r", Response(created_at=sent)).created_at == reported


@pytest.mark.parametrize("reason", [*INCOMPLETE, "new", "", None])
def test_an_unknown_reason_counts_as_length(reason):
    cut = INCOMPLETE.get(reason, StopReason.LENGTH)
    assert why_cut(Response(incomplete_details=IncompleteDetails(reason))) is cut
    assert why_cut(Response()) is StopReason.LENGTH


def test_the_end_repeats_what_the_beginning_said():
    done = end(Response())
    assert (done.model, done.created_at, done.usage) == ("begun", 5.0, Usage())
    assert end(Response(model="ended")).model == "ended"


def test_a_tool_call_is_the_reason_to_stop():
    calling = Message(Role.ASSISTANT, (TextPart("hi"), ToolCallPart("c", "look", "{}")))
    assert end(Response()).stop_reason is StopReason.STOP
    assert end(Response(), calling).stop_reason is StopReason.TOOL_USE
    assert end(Response(), calling, answered={"other"}).stop_reason is StopReason.TOOL_USE
    assert end(Response(), calling, answered={"c"}).stop_reason is StopReason.STOP
    assert end(Response(), calling, cut=StopReason.LENGTH).stop_reason is StopReason.LENGTH


def test_what_waits_for_something_else_is_the_reason_to_stop():
    calling = Message(Role.ASSISTANT, (ToolCallPart("c", "look", "{}"),))
    assert end(Response(), calling, is_waiting=True).stop_reason is StopReason.ACTION_REQUIRED
    assert end(Response(), is_waiting=True, cut=StopReason.LENGTH).stop_reason is StopReason.LENGTH


def test_the_service_tier_is_reported_and_cut():
    assert end(Response(service_tier="priority")).service_tier == "priority"
    assert end(Response(service_tier="x" * 1000)).service_tier == "x" * MAX_MODEL_CHARACTERS
    assert end(Response()).service_tier == ""


def test_only_a_complete_answer_with_a_whole_id_is_continuable():
    assert end(Response()).continuable
    assert not end(Response(), cut=StopReason.LENGTH).continuable
    assert not end(Response(), response_id="r" * MAX_ID_CHARACTERS).continuable
