import pytest

import trunkline
from trunkline import Done, Report, Tool, Usage, action_result, tool_result, upstream_item, user
from trunkline.gen.trunkline.v1 import completion_pb2 as pb
from trunkline.gen.trunkline.v1.message_pb2 import ROLE_ASSISTANT, Message, Part, ToolCallPart
from trunkline.history import History


def done(message):
    return Done(message, "stop", Usage(), "m", "p", None, Report())


def calls(*ids):
    parts = [Part(tool_call=ToolCallPart(call_id=one, name="f", arguments="{}")) for one in ids]
    return Message(role=ROLE_ASSISTANT, parts=parts)


def history(**fields):
    return History(None, fields.pop("session_id", "s1"), model="m", **fields)


def ask(books, given=None, **options):
    return books._ask(pb.StreamCompletionRequest, given, "req-1", options)


def test_a_turn_carries_everything():
    books = history(
        instructions="be kind",
        tools=[Tool("f", "does", {"type": "object"})],
        messages=[user("a")],
        options={"temperature": 0, "store": False},
    )
    request, _ = ask(books, "b", temperature=1.0)
    assert request.session_id == "s1"
    assert request.model == "m"
    assert request.instructions == "be kind"
    assert request.request_id == "req-1"
    assert list(request.messages) == [user("a"), user("b")]
    assert [(tool.name, tool.parameters) for tool in request.tools] == [("f", '{"type": "object"}')]
    assert (request.options.temperature, request.options.HasField("store")) == (1.0, True)
    assert books.options == {"temperature": 0, "store": False}


def test_a_good_turn_is_kept_and_the_answer_unchanged():
    books = history()
    _, settle = ask(books, "b")
    assert books.messages == []
    answer = Message.FromString(
        trunkline.assistant("c").SerializeToString() + b"\xf8\x07\x01"
    )  # a newer field
    settle(done(answer))
    assert books.messages == [user("b"), answer]
    request, _ = ask(books, "d")
    assert request.messages[1].SerializeToString() == answer.SerializeToString()


def test_a_failed_turn_leaves_everything_as_it_was():
    books = history(messages=[user("a")])
    _, settle = ask(books, "b")
    settle(None)
    assert books.messages == [user("a")]
    ask(books, "b")


def test_edits_during_a_turn_are_kept():
    books = history(messages=[user("a")])
    _, settle = ask(books, "b")
    books.messages.insert(0, trunkline.system("rules"))
    settle(done(trunkline.assistant("c")))
    assert books.messages == [trunkline.system("rules"), user("a"), user("b"), trunkline.assistant("c")]


def test_one_turn_at_a_time():
    books = history()
    ask(books, "a")
    with pytest.raises(RuntimeError, match="still open"):
        ask(books, "b")


def test_a_request_that_cannot_be_made_opens_no_turn():
    books = history()
    with pytest.raises(TypeError):
        ask(books, "a", nonsense=1)
    ask(books, "a")


def test_a_session_id_of_its_own():
    first, second = history(session_id=None), history(session_id=None)
    assert first.session_id != second.session_id
    assert len(first.session_id) == 32


def test_repr():
    assert repr(history(messages=[user("a")])) == "<History s1: 1 messages, model m>"


def test_open_calls():
    books = history()
    assert books.open_calls() == ()
    books.messages = [user("a"), calls("c1", "c2")]
    assert [call.call_id for call in books.open_calls()] == ["c1", "c2"]
    books.messages.append(tool_result("c1", "x"))
    assert [call.call_id for call in books.open_calls()] == ["c2"]
    books.messages.append(tool_result("c2", "x"))
    assert books.open_calls() == ()
    books.messages += [trunkline.assistant("done"), calls("c3"), user("never mind")]
    assert [call.call_id for call in books.open_calls()] == ["c3"]


def test_a_call_that_an_item_answers_is_not_open():
    answer = calls("c1", "c2")
    answer.parts.append(upstream_item({"type": "function_call_output", "call_id": "c1", "output": "x"}))
    answer.parts.append(upstream_item({"type": "shell_call", "call_id": "c2"}))
    books = history(messages=[user("a"), answer])
    assert [call.call_id for call in books.open_calls()] == ["c2"]
    books.messages.append(action_result({"type": "custom_tool_call_output", "call_id": "c2", "output": "x"}))
    assert books.open_calls() == ()


def test_tools_may_be_given_by_name():
    assert [tool.name for tool in history(tools={"f": lambda: "ok"}).tools] == ["f"]


def test_declaring_tools_keeps_words_and_order():
    books = history(tools=[Tool("f", "words", "{}"), Tool("g")])

    def f(): ...
    def h():
        """New."""

    books.declare({"f": f, "h": h})
    assert [(one.name, one.description) for one in books.tools] == [("f", "words"), ("g", ""), ("h", "New.")]
    assert books.tools[0].function is f
    books.declare([Tool("g", "other words")])
    assert books.tools[1].description == "other words"
