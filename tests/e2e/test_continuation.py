"""A replica dies under stored conversations: they go on elsewhere, and nothing is sent twice."""

import asyncio
import signal

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import completion_pb2_grpc
from service.gen.trunkline.v1.message_pb2 import Message
from tests.e2e.fleet import ENVOY, PATIENCE_S, Fleet, fleet
from tests.stack import request, user

pytestmark = [
    pytest.mark.deployment,
    pytest.mark.skipif(not ENVOY.exists(), reason="no Envoy: `make e2e` and `make check` install it"),
    pytest.mark.timeout(300),
]
CONVERSATIONS = 60
KEY = "a2V5IG9mIHRoZSB0b2tlbnMgb2YgYWxsIHJlcGxpY2E="


class Conversation:
    """A caller who echoes the answers and the latest token, by the contract alone."""

    def __init__(self, channel: grpc.aio.Channel, session: str) -> None:
        self._stub = completion_pb2_grpc.CompletionServiceStub(channel)
        self.session = session
        self.messages: list[Message] = []
        self.token = ""
        self.reports: list[pb.TurnReport] = []

    async def say(self, text: str) -> bool:
        """One turn. If it breaks, nothing is added to the conversation."""
        messages = [*self.messages, user(text)]
        asked = request(*messages, session=self.session, options={"store": True}, continuation=self.token)
        metadata = (("x-session-id", self.session),)
        try:
            *_, last = [event async for event in self._stub.StreamCompletion(asked, metadata=metadata)]
        except grpc.aio.AioRpcError:
            return False
        self.messages = [*messages, last.done.message]
        self.token = last.done.continuation
        self.reports.append(last.done.report)
        return True


async def each(everybody: list[Conversation], text: str) -> list[bool]:
    return await asyncio.gather(*(one.say(text) for one in everybody))


async def homes_of(house: Fleet, calls: int) -> dict[str, str]:
    """The replica that served each session last."""
    return {session: served[-1] for session, served in (await house.served(calls)).items()}


async def test_after_a_replica_died_each_next_turn_is_incremental_elsewhere(tmp_path, numbers):
    async with (
        fleet(tmp_path, replicas=3, continuation_key=KEY) as house,
        grpc.aio.insecure_channel(house.door) as channel,
    ):
        everybody = [Conversation(channel, f"s{number}") for number in range(CONVERSATIONS)]
        for text in ("Hello.", "And again."):
            assert all(await each(everybody, text))
        homes = await homes_of(house, 2 * CONVERSATIONS)
        victim = house.replicas[0]
        bereft = [one for one in everybody if homes[one.session] == victim.name]
        running = asyncio.create_task(each(everybody, "sim:slow(n=20, delay_ms=50)"))
        simulator = house.simulator
        await simulator.wait_for(lambda: simulator.stats.in_flight == CONVERSATIONS, PATIENCE_S)
        await victim.end(signal.SIGKILL)
        whole = await running
        assert [one for one, ended in zip(everybody, whole, strict=True) if not ended] == bereft
        await house.healthy(2)
        before = len(simulator.requests)
        assert all(await each(everybody, "And now?"))
        received = {one.response_id: one for one in simulator.requests[before:]}
        served = await homes_of(house, 4 * CONVERSATIONS)
        numbers(
            "a replica dies, stored conversations",
            conversations=CONVERSATIONS,
            its_own=len(bereft),
            incremental_after=sum(bool(one.previous_response_id) for one in received.values()),
            items_sent_twice=sum(one.repeated_items for one in received.values()),
        )
        assert bereft
        assert {served[one.session] for one in bereft} == {"r2", "r3"}
        assert len(received) == CONVERSATIONS
        for one in everybody:
            *_, last_but_one, last = one.reports
            seen = received[last.response_id]
            assert (last.context, last.context_reason) == (pb.CONTEXT_INCREMENTAL, "continued")
            assert seen.previous_response_id == last_but_one.response_id
            assert (seen.new_items, seen.known_items) == (1, len(one.messages) - 2)
            assert seen.repeated_items == 0
