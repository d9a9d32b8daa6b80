import re
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from trunkline import (
    Done,
    Message,
    Part,
    Report,
    ToolCallPart,
    Usage,
    assistant,
    image_url,
    text,
    tool_result,
    upstream_item,
    user,
)
from trunkline.gen.trunkline.v1.completion_pb2 import StreamCompletionRequest
from trunkline.gen.trunkline.v1.message_pb2 import ROLE_ASSISTANT, ReasoningPart, RefusalPart
from trunkline.session_finder import SessionFinder


def done(message, continuation=""):
    return Done(message, "stop", Usage(), "m", "p", None, Report(), continuation=continuation)


def answer(finder, messages, said, continuation=""):
    """Make a turn, and return the id of its session."""
    found = finder.take(messages)
    found.settle(done(said, continuation))
    return found.session_id


def call(call_id, arguments="{}"):
    return Part(tool_call=ToolCallPart(call_id=call_id, name="f", arguments=arguments))


def thought(sealed):
    return Part(reasoning=ReasoningPart(encrypted_content=sealed))


A, B = assistant("A"), assistant("B")


@pytest.fixture
def finder():
    return SessionFinder()


@pytest.fixture
def first(finder):
    """The session of [a A]."""
    return answer(finder, [user("a")], A)


def test_a_history_that_extends_a_known_one_continues_its_session(finder, first):
    assert answer(finder, [user("a"), A, user("b")], B) == first
    assert finder.take([user("a"), A, user("b"), B, user("c")]).session_id == first


def test_an_older_point_is_a_fork_and_leaves_the_first_session_alone(finder, first):
    answer(finder, [user("a"), A, user("b")], B)
    fork = answer(finder, [user("a"), A, user("c")], B)
    assert fork != first
    assert finder.take([user("a"), A, user("b"), B, user("d")]).session_id == first
    assert finder.take([user("a"), A, user("c"), B, user("d")]).session_id == fork


def test_a_session_is_taken_by_one_call_at_a_time(finder, first):
    history = [user("a"), A, user("b")]
    taken, beside = finder.take(history), finder.take(history)
    assert (taken.session_id == first, beside.session_id == first) == (True, False)
    beside.settle(done(assistant("other")))
    taken.settle(done(B))
    assert finder.take([*history, B, user("c")]).session_id == first


def test_a_turn_that_fails_leaves_the_session_where_it_stood(finder, first):
    history = [user("a"), A, user("b")]
    finder.take(history).settle(None)
    assert answer(finder, [*history, user("again")], B) == first


def test_a_first_turn_that_fails_is_tried_again_in_its_session(finder):
    failed = finder.take([user("a")])
    failed.settle(None)
    again = finder.take([user("a")])
    assert again.session_id == failed.session_id
    assert finder.take([user("a")]).session_id != failed.session_id


@pytest.mark.parametrize(
    "history",
    [
        [user("b"), A, user("c")],
        [user("a"), B, user("c")],
        [user("a"), user("c")],
        [A, user("a"), user("c")],
        [user("aA"), user("c")],
        [user(text("a"), image_url("https://x.example/y.png")), A, user("c")],
        [],
    ],
)
def test_another_history_is_another_session(finder, first, history):
    assert finder.take(history).session_id != first


@pytest.mark.parametrize(
    "echoed",
    [
        [Message(role=ROLE_ASSISTANT, parts=[text("AB"), call("c1")])],
        [assistant("A"), assistant("B"), Message(role=ROLE_ASSISTANT, parts=[call("c1", '{"x":1}')])],
        [assistant("", "A", "B", upstream_item({"type": "web_search_call"}), call("c1"))],
    ],
)
def test_an_answer_is_known_however_a_framework_writes_it(finder, echoed):
    said = Message(
        role=ROLE_ASSISTANT,
        parts=[thought("s"), text("A"), upstream_item({"type": "x"}), text("B"), call("c1", '{"x": 1}')],
    )
    session = answer(finder, [user("a")], said)
    assert finder.take([user("a"), *echoed, tool_result("c1", "r")]).session_id == session


def test_other_calls_and_refusals_are_other_answers(finder):
    said = Message(role=ROLE_ASSISTANT, parts=[call("c1")])
    session = answer(finder, [user("a")], said)
    refused = answer(
        finder, [user("b")], Message(role=ROLE_ASSISTANT, parts=[Part(refusal=RefusalPart(text="no"))])
    )
    other = Message(role=ROLE_ASSISTANT, parts=[call("c2")])
    assert finder.take([user("a"), other, tool_result("c2", "r")]).session_id != session
    assert finder.take([user("b"), assistant("yes"), user("c")]).session_id != refused


def test_an_answer_that_nothing_is_kept_of_is_left_out(finder):
    approval = Message(
        role=ROLE_ASSISTANT, parts=[upstream_item({"type": "mcp_approval_request", "id": "r"})]
    )
    session = answer(finder, [user("a")], approval)
    assert finder.take([user("a"), user("b")]).session_id == session


def test_equal_conversations_keep_their_own_sessions(finder):
    """Many that ask the same get the same words, after thoughts of their own."""
    sealed = [f"s{number}" for number in range(5)]
    answers = [Message(role=ROLE_ASSISTANT, parts=[thought(one), text("4")]) for one in sealed]
    found = [finder.take([user("2 + 2?")]) for _ in answers]
    for one, said in zip(found, answers, strict=True):
        one.settle(done(said))
    again = [finder.take([user("2 + 2?"), said, user("+ 1?")]).session_id for said in reversed(answers)]
    assert again == [one.session_id for one in reversed(found)]


def test_the_last_end_of_a_turn_counts(finder, first):
    found = finder.take([user("a"), A, user("b")])
    found.settle(None)
    found.settle(done(B))
    assert len(finder) == 1
    assert finder.take([user("a"), A, user("b"), B, user("c")]).session_id == first


def test_the_token_of_the_latest_turn_goes_with_the_next(finder):
    history = [user("a")]
    assert finder.take(history).continuation == ""
    answer(finder, history, A, continuation="t1")
    history += [A, user("b")]
    assert finder.take(history).continuation == "t1"


def test_a_turn_without_a_token_leaves_the_last_one(finder):
    answer(finder, [user("a")], A, continuation="t1")
    answer(finder, [user("a"), A, user("b")], B)
    assert finder.take([user("a"), A, user("b"), B, user("c")]).continuation == "t1"


def test_the_session_that_rested_longest_is_forgotten(finder):
    finder = SessionFinder(max_sessions=2)
    oldest, kept = (answer(finder, [user(name)], A) for name in "ab")
    assert answer(finder, [user("a"), A, user("x")], B) == oldest  # no longer the oldest
    answer(finder, [user("c")], A)
    assert len(finder) == 2
    assert finder.take([user("b"), A, user("x")]).session_id != kept
    assert finder.take([user("a"), A, user("x"), B, user("y")]).session_id == oldest


def test_nothing_grows_beyond_the_bound():
    finder = SessionFinder(max_sessions=3)
    for number in range(50):
        answer(finder, [user(str(number % 7))], A)
        assert len(finder) <= 3
        assert sum(map(len, finder._by_kept.values())) == len(finder._known)


def test_a_bound_of_none_is_refused():
    with pytest.raises(ValueError, match="max_sessions: at least 1"):
        SessionFinder(max_sessions=0)


def test_threads_never_share_a_session():
    finder, barrier = SessionFinder(), threading.Barrier(8)
    base = answer(finder, [user("a")], A)

    def branch(number):
        barrier.wait()
        return answer(finder, [user("a"), A, user("b")], assistant(str(number)))

    with ThreadPoolExecutor(8) as pool:
        sessions = list(pool.map(branch, range(8)))
    assert sorted(sessions).count(base) == 1
    assert len(set(sessions)) == 8 == len(finder)
    for number, session in enumerate(sessions):
        assert finder.take([user("a"), A, user("b"), assistant(str(number)), user("c")]).session_id == session


def test_settling_takes_no_lock(finder):
    """A garbage collection may end a turn while its thread holds the lock."""
    found = finder.take([user("a")])
    with finder._lock:
        found.settle(None)
    assert len(finder) == 1


def test_a_new_session_has_the_name_of_the_conversation():
    finder = SessionFinder()
    found = finder.take([user("a")], "thread-1")
    assert found.session_id == "thread-1"
    found.settle(done(assistant("A")))
    assert finder.take([user("a"), assistant("A"), user("b")], "thread-1").session_id == "thread-1"


def test_a_name_is_given_once():
    finder = SessionFinder()
    running = finder.take([user("a")], "thread-1")
    beside = finder.take([user("another")], "thread-1")
    assert beside.session_id != running.session_id == "thread-1"
    running.settle(done(assistant("A")))
    assert finder.take([user("a third")], "thread-1").session_id not in ("thread-1", beside.session_id)


def test_a_name_that_is_no_id_is_the_same_id_each_time():
    name = "Zoë's thread \N{SPOOL OF THREAD}"
    first, second = (SessionFinder().take([user("a")], name).session_id for _ in range(2))
    assert first == second
    assert re.fullmatch("[0-9a-f]{32}", first)


def test_a_request_gets_the_session_that_is_found(finder, first):
    finder.take([user("a"), A, user("b")]).settle(done(B, "t1"))
    request = StreamCompletionRequest(messages=[user("a"), A, user("b"), B, user("c")])
    settle = finder.assign(request)
    assert (request.session_id, request.continuation) == (first, "t1")
    settle(done(assistant("C")))
    assert finder.take([*request.messages, assistant("C"), user("d")]).session_id == first


def test_a_request_that_names_a_session_keeps_it(finder, first):
    request = StreamCompletionRequest(session_id="own", messages=[user("a"), A, user("b")])
    assert finder.assign(request) is None
    assert request.session_id == "own"
    assert finder.take(request.messages).session_id == first


def test_a_token_of_the_caller_goes_with_a_session_that_has_none(finder):
    request = StreamCompletionRequest(messages=[user("a")], continuation="saved")
    finder.assign(request)
    assert request.continuation == "saved"
