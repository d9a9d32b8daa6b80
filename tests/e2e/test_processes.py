"""The service as a process between a caller and an upstream that are processes, too."""

import asyncio
import signal

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import completion_pb2_grpc
from service.gen.trunkline.v1 import message_pb2 as m
from tests.e2e.conftest import PATIENCE_S, World, running
from tests.stack import kinds_of, request, text_of


async def converse(world: World, *texts: str) -> list[pb.Done]:
    """One conversation, each turn on a channel of its own: sessions do not belong to channels."""
    messages: list[m.Message] = []
    answers: list[pb.Done] = []
    for text in texts:
        async with grpc.aio.insecure_channel(world.address) as channel:
            wanted = request(*messages, text)
            call = completion_pb2_grpc.CompletionServiceStub(channel).StreamCompletion(
                wanted, timeout=PATIENCE_S
            )
            events = [event async for event in call]
        assert events[-1].WhichOneof("event") == "done"
        answers.append(events[-1].done)
        messages = [*wanted.messages, answers[-1].message]
    return answers


async def test_a_conversation_goes_over_one_line_and_sends_what_is_new(world):
    answers = await converse(world, "Hello.", "And again.", "And now?")
    assert [answer.report.context_reason for answer in answers] == ["first_turn", "continued", "continued"]
    seen = await world.ask("/sim/requests")
    assert [(one["new_items"], one["known_items"], one["repeated_items"]) for one in seen] == [
        (1, 0, 0),
        (1, 2, 0),
        (1, 4, 0),
    ]
    assert {one["connection_id"] for one in seen} == {"conn_1"}
    assert [one["size"] for one in seen] == [answer.report.bytes_sent for answer in answers]


async def test_a_turn_that_runs_when_the_service_gets_sigterm_ends_well(world):
    async with grpc.aio.insecure_channel(world.address) as channel:
        stub = completion_pb2_grpc.CompletionServiceStub(channel)
        events = aiter(stub.StreamCompletion(request("sim:words(n=200)"), timeout=PATIENCE_S))
        reported = [await anext(events)]
        world.service.process.send_signal(signal.SIGTERM)
        reported += [event async for event in events]
    assert kinds_of(reported)[-1] == "done"
    assert text_of(reported).endswith("word200")
    assert await world.service.ends() == 0
    async with asyncio.timeout(PATIENCE_S):
        while (await world.ask("/sim/stats"))["open_connections"]:  # noqa: ASYNC110  another process
            await asyncio.sleep(0.02)


async def test_an_upstream_that_dies_between_turns_is_a_failed_turn_and_not_the_end(world):
    """And when it is back, so is the conversation."""
    (first,) = await converse(world, "Hello.")
    world.simulator.process.kill()
    await world.simulator.ends()
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await converse(world, "Are you there?")
    assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
    port = world.upstream.rpartition(":")[2].removesuffix("/v1")
    async with running(["-m", "simulator", "--port", port]) as again:
        await again.says(r"listening on (\S+)")
        (answer,) = await converse(world, "And now?")
        assert answer.report.transport_reason == "cooldown"
        assert answer.message.parts
    assert first.message.parts


async def test_without_a_key_an_https_upstream_is_refused_by_the_name_of_the_variable():
    async with running(["-m", "service"], TRUNKLINE_LISTEN="127.0.0.1:0") as service:
        assert await service.ends() == 2
    assert "OPENAI_API_KEY" in "".join(service.said)
    assert "Traceback" not in "".join(service.said)
