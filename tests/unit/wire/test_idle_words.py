import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.wire.idle_words import MAX_IDLE_WORDS, IdleWords


def said(kind, **fields):
    return msgspec.json.encode({"type": kind, **fields}).decode()


@pytest.mark.parametrize(
    "word",
    [
        said("response.rate_limits.updated", rate_limits=[{"name": "tokens", "remaining": 1}]),
        said("response.rate_limits.updated", sequence_number=9, response_id="resp_1", error=None),
        said("rate_limits.updated", event_id="event_1"),
        said("codex.rate_limits", plan_type="team"),
        said("keepalive", sequence_number=3),
        said("response.heartbeat"),
        said("ping"),
        said("session.updated", session={"id": "s"}),
    ],
)
def test_a_word_that_belongs_to_no_response_is_harmless(word):
    words = IdleWords()
    assert words.take([word])
    assert repr(words) == "IdleWords(1 ignored)"


@pytest.mark.parametrize(
    "word",
    [
        said("error", error={"code": "server_error"}),
        said("error", message="flat"),
        said("internal_error"),
        said("notice", error={"code": "connection_expiring"}),
        said("response.created", response={"id": "resp_1"}),
        said("response.completed"),
        said("response.failed", response={"id": "resp_1"}),
        said("response.output_text.delta", delta="x"),
        said("response.output_item.added", item={"type": "message"}),
        said("response.web_search_call.searching", item_id="ws_1", output_index=0),
        said("response.something.new", output_index=0),
        said("response.output_text.done", text="x"),
        said(""),
        said(7),
        '{"message":"Internal server error","connectionId":"c"}',
        "not json",
        "[]",
        "null",
        '"ping"',
        b'{"type":"keepalive"}',
    ],
)
def test_an_error_an_event_of_a_response_and_no_event_are_not(word):
    words = IdleWords()
    assert not words.take([said("keepalive"), word])
    assert words.ignored == {"keepalive": 1}


@given(st.text() | st.binary())
def test_any_message_is_judged(message):
    assert IdleWords().take([message]) in (True, False)


def test_words_without_end_are_not_ignored():
    words = IdleWords()
    assert words.take([said("keepalive")] * MAX_IDLE_WORDS)
    assert not words.take([said("keepalive")])
