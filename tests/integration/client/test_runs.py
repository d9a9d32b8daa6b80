import asyncio
import threading

import grpc
import pytest

import trunkline
from tests.integration.client.scripted import START, WAIT, Fail, asks, done, says
from trunkline import (
    TOOL_CALL_KIND_CUSTOM,
    Item,
    Tool,
    TrunklineError,
    action_result,
    approval,
    custom_tool,
    tool_result,
    upstream_item,
    user,
)
from trunkline.gen.trunkline.v1.message_pb2 import Part, ToolCallPart

LOST = Fail(grpc.StatusCode.ABORTED, "CONNECTION_LOST", sent="true")


def double(x: int) -> int:
    """Doubles."""
    return 2 * x


async def test_the_loop_goes_on_until_the_model_stops_asking(face, service, conversation):
    service.scripts = [asks(("c1", "double", '{"x": 1}')), asks(("c2", "double", '{"x": 2}')), says("4")]
    events = await face.events(conversation.run("go", tools={"double": double}))
    assert [event.kind for event in events].count("done") == 3
    assert [len(request.messages) for request in service.requests] == [1, 3, 5]
    assert service.requests[1].messages[2] == tool_result("c1", 2)
    assert {tuple(tool.name for tool in request.tools) for request in service.requests} == {("double",)}
    assert conversation.messages[-1] == trunkline.assistant("4")


async def test_the_result_is_the_last_done(face, service, conversation):
    service.scripts = [asks(("c1", "double", '{"x": 1}')), says("2")]
    run = conversation.run("go", tools=[double])
    assert (await face.result(run)).text == run.done.text == "2"


async def test_options_and_deadline_go_with_every_round(face, service, conversation):
    service.scripts = [asks(("c1", "double", '{"x": 1}')), says("2")]
    await face.result(conversation.run("go", tools=[double], timeout=90, temperature=0, request_id="r"))
    assert all(request.options.HasField("temperature") for request in service.requests)
    assert all(60 < deadline < 91 for deadline in service.deadlines)
    assert [request.request_id for request in service.requests] == ["r", "r"]


async def test_trouble_with_a_tool_is_reported_to_the_model(face, service, conversation):
    calls = [("c1", "double", "{"), ("c2", "nowhere", "{}"), ("c3", "double", '{"x": null}')]
    service.scripts = [asks(*calls), says("sorry")]
    await face.result(conversation.run("go", tools=[double]))
    results = [message.parts[0].tool_result for message in service.requests[1].messages[2:]]
    assert [(result.call_id, result.is_error) for result in results] == [
        ("c1", True),
        ("c2", True),
        ("c3", True),
    ]


async def test_rounds_are_bounded_and_a_next_run_goes_on(face, service, conversation):
    service.scripts = [asks(("c1", "double", '{"x": 1}')), says("2")]
    run = conversation.run("go", tools=[double], max_rounds=1)
    assert (await face.result(run)).stop_reason == "tool_use"
    assert len(conversation.open_calls()) == 1
    assert (await face.result(conversation.run())).text == "2"
    assert conversation.open_calls() == ()
    with pytest.raises(ValueError, match="at least 1"):
        conversation.run("go", max_rounds=0)


async def test_no_tool_runs_twice_when_a_turn_fails(face, service, conversation):
    made = []
    tool = Tool("note", function=lambda: made.append(1))
    service.scripts = [asks(("c1", "note", "{}")), [START, LOST], says("noted")]
    run = conversation.run("go", tools=[tool])
    with pytest.raises(TrunklineError, match="CONNECTION_LOST"):
        await face.events(run)
    assert await face.events(run) == []
    assert conversation.messages[-1] == tool_result("c1")
    assert (await face.result(conversation.run())).text == "noted"
    assert made == [1]


async def test_leaving_a_run_cancels_its_turn(face, service, conversation):
    service.scripts = [[START, WAIT], says("b")]
    await face.leave_after(1, conversation.run("go"))
    await service.left.wait()
    await face.drop_after(1, lambda: conversation.run("go"))


async def test_a_run_without_an_end_has_no_done(conversation):
    with pytest.raises(RuntimeError, match="no turn"):
        _ = conversation.run("go").done


async def test_cancel_during_a_turn(face, service, conversation):
    service.scripts = [[START, WAIT]]
    run = conversation.run("go")
    reading = asyncio.ensure_future(face.events(run))
    await service.waiting.wait()
    run.cancel()
    with pytest.raises(TrunklineError, match="CANCELLED"):
        await reading
    assert await face.events(run) == []


async def test_cancel_between_two_turns(face, service, conversation):
    def stop():
        run.cancel()

    service.scripts = [asks(("c1", "stop", "{}"), ("c2", "stop", "{}"))]
    run = conversation.run("go", tools=[stop])
    with pytest.raises(TrunklineError, match="CANCELLED"):
        await face.events(run)
    assert await face.events(run) == []
    assert len(service.requests) == 1


@pytest.fixture
async def async_conversation(service):
    async with trunkline.AsyncClient(service.address) as client:
        yield client.conversation(model="m")


async def test_calls_of_one_answer_run_side_by_side(service, async_conversation):
    together = asyncio.Barrier(2)
    threads = threading.Barrier(2)

    async def meet() -> str:
        await asyncio.wait_for(together.wait(), 5)
        return "met"

    def meet_in_threads() -> str:
        threads.wait(5)
        return "met"

    names = ["meet", "meet", "meet_in_threads", "meet_in_threads"]
    service.scripts = [asks(*((f"c{i}", name, "{}") for i, name in enumerate(names))), says("ok")]
    await async_conversation.run("go", tools=[meet, meet_in_threads]).result()
    assert async_conversation.messages[2:6] == [tool_result(f"c{i}", "met") for i in range(4)]


async def test_cancel_stops_tools_that_run_in_the_loop(service, async_conversation):
    running = asyncio.Event()

    async def forever() -> None:
        running.set()
        await asyncio.Event().wait()

    service.scripts = [asks(("c1", "forever", "{}")), says("ok")]
    run = async_conversation.run("go", tools=[forever])
    reading = asyncio.ensure_future(run.result())
    await running.wait()
    run.cancel()
    with pytest.raises(TrunklineError, match="CANCELLED"):
        await reading
    assert len(async_conversation.open_calls()) == 1


async def test_cancelling_the_task_stops_the_tools(service, async_conversation):
    began, stopped = asyncio.Event(), asyncio.Event()

    async def forever() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    service.scripts = [asks(("c1", "forever", "{}"))]
    running = asyncio.ensure_future(async_conversation.run("go", tools=[forever]).result())
    await began.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await stopped.wait()


def test_a_coroutine_function_needs_the_other_client():
    async def later() -> None: ...

    with trunkline.Client() as client, pytest.raises(TypeError, match="AsyncClient"):
        client.conversation(model="m").run("go", tools=[later])


async def test_what_was_given_goes_with_the_first_turn_only(face, service, conversation):
    service.scripts = [asks(("c1", "double", '{"x": 1}')), says("2")]
    await face.result(conversation.run("go", tools=[double]))
    assert conversation.messages.count(user("go")) == 1


async def test_a_custom_tool_is_called_with_the_text(face, service, conversation):
    @custom_tool
    def shout(text: str) -> str:
        return text.upper()

    service.scripts = [asks(("c1", "shout", '{"a": ', TOOL_CALL_KIND_CUSTOM)), says("ok")]
    await face.result(conversation.run("go", tools=[shout]))
    assert service.requests[0].tools[0].definition_json == '{"type": "custom", "name": "shout"}'
    assert service.requests[1].messages[2] == tool_result("c1", '{"A": ')


REQUEST = upstream_item({"type": "mcp_approval_request", "id": "mcpr_1", "name": "f", "arguments": "{}"})


async def test_a_run_ends_where_the_model_waits_for_an_action(face, service, conversation):
    service.scripts = [[START, done(REQUEST)], says("done")]
    ended = await face.result(conversation.run("go"))
    assert (ended.stop_reason, ended.actions) == ("action_required", (REQUEST.upstream_item,))
    given = approval(ended.actions[0], True)
    assert (await face.result(conversation.answer(given))).text == "done"
    assert list(service.requests[1].messages)[1:] == [trunkline.assistant(REQUEST), action_result(given)]


async def test_open_calls_are_left_to_the_run_that_brings_the_answer(face, service, conversation):
    call = Part(tool_call=ToolCallPart(call_id="c1", name="double", arguments='{"x": 1}'))
    service.scripts = [[START, done(call, REQUEST)], says("done")]
    await face.result(conversation.run("go", tools=[double]))
    assert len(conversation.open_calls()) == len(service.requests) == 1
    given: list[Item] = [approval(REQUEST.upstream_item, False), '{"type": "item_reference", "id": "i"}']
    await face.result(conversation.answer(given, temperature=0))
    assert list(service.requests[1].messages)[2:] == [tool_result("c1", 2), action_result(*given)]
    assert service.requests[1].options.HasField("temperature")


async def test_what_the_upstream_added_is_echoed(face, service, conversation):
    said = Part(item_id="msg_1", extra_json='{"new": 1}')
    said.text.text, said.text.annotations_json = "hello", '[{"url":"u"}]'
    service.scripts = [[START, done(said)], says("b")]
    await face.result(conversation.stream("a"))
    await face.result(conversation.stream("again"))
    assert service.requests[1].messages[1] == trunkline.assistant(said)
