"""A turn with a key outlives its caller's connection: what a second call with the same key gets, whenever."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import completion_pb2_grpc
from simulator.scripts import Call, Drop, Fail, Gate, Reason, Refuse, Say, Script, Start, Step
from simulator.scripts.hosted import web_search
from tests.integration.service.talk import PATIENCE_S, SSE, WEBSOCKET, failed, failed_stream, until
from tests.stack import Stack, kinds_of, request, text_of

Events = list[pb.StreamCompletionResponse]

LONG = {"seconds": 60}


@pytest.fixture(params=[WEBSOCKET, SSE], ids=["websocket", "sse"])
def options(request):
    return {**request.param, "linger": LONG}


def keyed(said: str = "Tell me.", **fields: Any) -> pb.StreamCompletionRequest:
    return request(said, **{"turn_key": "k1", **fields})


class Reading:
    """One call, read event by event."""

    def __init__(self, replica: Stack, wanted: pb.StreamCompletionRequest, **call: Any) -> None:
        self.events: Events = []
        self._call = replica.completions.StreamCompletion(wanted, **call)
        self._rest = aiter(self._call)

    async def read(self, number: int) -> None:
        """Read so many events more, or fewer where the turn ends."""
        async with asyncio.timeout(PATIENCE_S):
            while number and (event := await anext(self._rest, None)):
                self.events.append(event)
                number -= 1

    async def rest(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            async for event in self._rest:
                self.events.append(event)

    async def leave(self) -> None:
        if self._call.cancel():
            with pytest.raises(asyncio.CancelledError):
                await self.rest()


def turns(replica: Stack, key: str = "") -> list[Any]:
    """The turns that are kept; of one key, if it is given."""
    kept = [named for by_key in replica.manager.kept._tenants.values() for named in by_key.items()]
    return [turn for (_, name), (turn, _) in kept if not key or name == key]


async def left_alone(replica: Stack, key: str = "") -> None:
    await until(lambda: [kept.reader for kept in turns(replica, key)] == [None])


def whole(first: Events, then: Events) -> pb.Done:
    """Check that two calls got each event of the turn once and in order. Return its end."""
    events = [*first, *then]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    kinds = kinds_of(events)
    assert (kinds[0], kinds[-1], kinds.count("start"), kinds.count("done")) == ("start", "done", 1, 1)
    done = events[-1].done
    assert text_of(events) == "".join(part.text.text for part in done.message.parts)
    return done


async def resumed(replica: Stack, wanted: pb.StreamCompletionRequest, after: int) -> Events:
    again = pb.StreamCompletionRequest()
    again.CopyFrom(wanted)
    again.after_sequence = after
    return await asyncio.wait_for(replica.turn(again), PATIENCE_S)


async def test_a_turn_with_a_key_is_as_any_other(replica, options):
    events = await replica.turn(keyed(options=options))
    done = whole(events, [])
    assert done.report.attached is False
    assert replica.simulator.stats.requests_total == 1


async def test_before_the_start(replica, options):
    replica.simulator.enqueue(Script(Gate("go"), Say("Hello, here I am.")))
    wanted = keyed(options=options)
    first = Reading(replica, wanted)
    await replica.simulator.wait_for(lambda: replica.simulator.stats.requests_total == 1, PATIENCE_S)
    await first.leave()
    await left_alone(replica)
    second = Reading(replica, wanted)
    await until(lambda: [kept.reader is not None for kept in turns(replica)] == [True])
    replica.simulator.open_gate("go")
    await second.rest()
    assert whole([], second.events).report.attached is True
    assert replica.simulator.stats.requests_total == 1


CONTENT: dict[str, Step] = {
    "text": Say("One two three four five six."),
    "reasoning": Reason(("I think, and think on.",)),
    "refusal": Refuse("No, I will not do that."),
    "tool call": Call("lookup", '{"query": "the tides of today"}', "call_1"),
    "hosted item": web_search("tides"),
}
EVENT = {
    "text": "text_delta",
    "reasoning": "reasoning_delta",
    "refusal": "refusal_delta",
    "tool call": "tool_call_delta",
    "hosted item": "item_progress",
}


@pytest.mark.parametrize("content", CONTENT)
async def test_in_each_kind_of_content(replica, options, content):
    """After each of its events: the second call gets the others, whether they have come or not."""
    for number in count(1):
        replica.simulator.enqueue(Script(Start(), CONTENT[content], Say("And that is all.")))
        wanted = keyed(options=options, turn_key=f"k{number}", session=f"s{number}")
        first = Reading(replica, wanted)
        await first.read(number)
        await first.leave()
        then = await resumed(replica, wanted, len(first.events))
        done = whole(first.events, then)
        assert EVENT[content] in kinds_of([*first.events, *then])
        assert replica.simulator.stats.requests_total == number
        if not then:
            break
        assert done.report.attached
    assert number > 2


async def test_at_the_end_and_after_it(replica, options):
    """Who has all of it gets an end without events; who has none of it gets all, the same as before."""
    wanted = keyed(options=options)
    events = await replica.turn(wanted)
    assert await resumed(replica, wanted, len(events)) == []
    again = await resumed(replica, wanted, 0)
    assert again[:-1] == events[:-1]
    assert again[-1].done.report.attached
    again[-1].done.report.attached = False
    assert again == events
    assert replica.simulator.stats.requests_total == 1


async def test_complete_and_stream_share_a_turn(replica, options):
    wanted = keyed(options=options)
    unary = pb.CompleteRequest.FromString(wanted.SerializeToString())
    answer = await replica.completions.Complete(unary)
    assert answer.report.attached is False
    again = await replica.completions.Complete(unary)
    assert again.report.attached is True
    again.report.attached = False
    assert again == answer
    events = await resumed(replica, wanted, 0)
    assert (whole(events, []).message, events[-1].done.report.attached) == (answer.message, True)
    assert replica.simulator.stats.requests_total == 1


async def test_a_lingering_turn_ends_alone(replica, options):
    replica.simulator.enqueue(Script(Start(), Say("One two three", closed=False), Gate("go"), Say(" four.")))
    wanted = keyed(options=options)
    first = Reading(replica, wanted)
    await first.read(2)
    await first.leave()
    await left_alone(replica)
    replica.simulator.open_gate("go")
    await until(lambda: [kept.ended for kept in turns(replica)] == [True])
    assert whole(first.events, await resumed(replica, wanted, 2)).report.attached
    assert replica.simulator.stats.requests_total == 1
    assert replica.simulator.stats.aborted == 0


async def test_after_an_error_the_same_error_comes_again(replica, options):
    wrong = Fail("server_error", "It broke.")
    replica.simulator.enqueue(Script(Start(), Say("One two", closed=False), Gate("go"), wrong))
    wanted = keyed(options=options)
    first = Reading(replica, wanted)
    await first.read(2)
    await first.leave()
    await left_alone(replica)
    replica.simulator.open_gate("go")
    await until(lambda: [kept.ended for kept in turns(replica)] == [True])
    last = 0
    for after in (0, 2, 2):
        wanted.after_sequence = after
        events, failure = await failed_stream(replica, wanted)
        last = events[-1].sequence
        assert [event.sequence for event in events] == list(range(after + 1, after + len(events) + 1))
        error = events[-1].error
        assert (error.reason, error.report.attached, failure.reason) == ("UPSTREAM_ERROR", True, error.reason)
        assert failure.code is grpc.StatusCode.INTERNAL
        assert error.partial.parts[0].text.text.startswith("One two")
        assert failure.info.metadata["turn_id"] == first.events[0].start.turn_id
    wanted.after_sequence = last
    assert (await failed_stream(replica, wanted))[1].reason == "UPSTREAM_ERROR"
    unary = pb.CompleteRequest.FromString(wanted.SerializeToString())
    assert (await failed(replica.completions.Complete(unary))).reason == "UPSTREAM_ERROR"
    assert replica.simulator.stats.requests_total == 1


async def test_twice_at_once_the_newest_call_owns_the_turn(replica, options):
    replica.simulator.enqueue(Script(Start(), Say("One two three", closed=False), Gate("go"), Say(" four.")))
    wanted = keyed(options=options)
    first = Reading(replica, wanted)
    await first.read(2)
    wanted.after_sequence = 2
    second = Reading(replica, wanted)
    older = await failed(first.rest())
    assert (older.code, older.reason) == (grpc.StatusCode.ABORTED, "TAKEN_OVER")
    error = first.events[-1].error
    assert (error.reason, error.retryable) == ("TAKEN_OVER", False)
    replica.simulator.open_gate("go")
    await second.rest()
    assert whole(first.events[:2], second.events).report.attached
    assert replica.simulator.stats.requests_total == 1


async def test_a_caller_who_never_reads_is_taken_over_too(start, options):
    """Its write is blocked; the turn runs on, and the newest call gets everything."""
    replica = await start({"MAX_KEPT_BYTES_PER_TURN": "40000000"})
    wanted = keyed("sim:long(bytes=8000000)", options=options)
    roomy = [("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(replica.address, options=roomy) as channel:
        replica.completions = completion_pb2_grpc.CompletionServiceStub(channel)
        first = Reading(replica, wanted)
        await first.read(1)
        await until(lambda: [kept.ended for kept in turns(replica)] == [True])
        events = await resumed(replica, wanted, 0)
        assert len(whole(events, []).message.parts[0].text.text) == 8000000
        assert (await failed(first.rest())).reason == "TAKEN_OVER"
    assert replica.simulator.stats.requests_total == 1


async def test_other_content_is_refused(replica, options):
    await replica.turn(keyed(options=options))
    other = await failed_stream(replica, keyed("Tell me more.", options=options))
    assert (other[0], other[1].reason, other[1].fields) == ([], "INVALID_REQUEST", ["turn_key"])
    assert replica.simulator.stats.requests_total == 1
    same = keyed(
        options={**options, "linger": {"seconds": 1}, "heartbeat": LONG}, request_id="r2", continuation="t"
    )
    assert (await replica.turn(same))[-1].done.report.attached


async def test_events_that_the_turn_never_had(replica, options):
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say("Hello.")))
    wanted = keyed(options=options, after_sequence=99)
    first = Reading(replica, wanted)  # a turn that begins: what the caller has is of another one
    await first.read(1)
    assert first.events[0].sequence == 1
    second = Reading(replica, wanted)
    await failed(first.rest())
    replica.simulator.open_gate("go")
    assert (await failed(second.rest())).fields == ["after_sequence"]
    events, failure = await failed_stream(replica, wanted)
    assert (events, failure.reason, failure.fields) == ([], "INVALID_REQUEST", ["after_sequence"])


async def test_after_the_linger_it_is_stopped_and_unknown(replica, options):
    options = {**options, "linger": {"nanos": 50_000_000}}
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say("Hello.")))
    wanted = keyed(options=options)
    first = Reading(replica, wanted)
    await first.read(1)
    await first.leave()
    await replica.simulator.wait_for(lambda: replica.simulator.stats.aborted == 1, PATIENCE_S)
    await until(lambda: not turns(replica))
    events = await resumed(replica, wanted, 1)
    assert whole([], events).report.attached is False
    assert replica.simulator.stats.requests_total == 2
    await until(lambda: not turns(replica))
    assert replica.manager.kept._room.bytes == 0


@pytest.mark.parametrize("transport", [WEBSOCKET, SSE], ids=["websocket", "sse"])
async def test_without_a_linger_it_stops_with_its_caller(replica, transport):
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say("Hello.")))
    first = Reading(replica, keyed(options=transport))
    await first.read(1)
    await first.leave()
    await replica.simulator.wait_for(lambda: replica.simulator.stats.aborted == 1, PATIENCE_S)
    assert not turns(replica)


async def test_what_failed_before_anything_was_sent_is_forgotten(start, options):
    replica = await start({"MAX_TURNS": "1"})
    replica.simulator.enqueue(Script(Start(), Gate("go")))
    busy = Reading(replica, request("Hello.", session="busy", turn_key="b", options={"linger": LONG}))
    await busy.read(1)
    events, failure = await failed_stream(replica, keyed(options=options))
    assert (events, failure.reason, failure.sent) == ([], "OVERLOADED", "false")
    assert len(turns(replica)) == 1
    await busy.leave()
    # Attaching needs no place.
    again = Reading(replica, request("Hello.", session="busy", turn_key="b", options={"linger": LONG}))
    await again.read(1)
    replica.simulator.open_gate("go")
    await again.rest()
    whole([], again.events)


async def test_a_lost_connection_is_an_error_as_any_other(replica, options):
    replica.simulator.enqueue(Script(Start(), Say("One two", closed=False), Drop()))
    wanted = keyed(options=options)
    events, failure = await failed_stream(replica, wanted)
    assert (failure.reason, events[-1].error.report.attached) == ("CONNECTION_LOST", False)
    again, failure = await failed_stream(replica, wanted)
    assert (failure.reason, again[:-1]) == ("CONNECTION_LOST", events[:-1])
    assert replica.simulator.stats.requests_total == 1


async def test_too_long_a_linger_is_refused(start):
    replica = await start({"MAX_LINGER_S": "10"})
    wanted = keyed(options={"linger": {"seconds": 10, "nanos": 1}})
    events, failure = await failed_stream(replica, wanted)
    assert (events, failure.fields) == ([], ["options.linger"])
    assert "TRUNKLINE_MAX_LINGER_S" in failure.message


async def test_a_turn_that_outgrows_its_room(start, options):
    """It goes on for its caller, and cannot be attached to from its beginning any more; alone it waits."""
    replica = await start({"MAX_KEPT_BYTES_PER_TURN": "20000"})
    wanted = keyed("sim:words(n=2000)", options=options)
    done = whole(await replica.turn(wanted), [])
    (kept,) = turns(replica)
    assert kept.dropped
    events, failure = await failed_stream(replica, wanted)
    assert (events, failure.reason) == ([], "OVERLOADED")
    assert "TRUNKLINE_MAX_KEPT_BYTES_PER_TURN" in failure.message
    late = await resumed(replica, wanted, kept.dropped)
    assert late[0].sequence == kept.dropped + 1
    unary = pb.CompleteRequest.FromString(wanted.SerializeToString())
    assert (await replica.completions.Complete(unary)).message == done.message

    long = "".join(f"word{number} " for number in range(2000))
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say(long)))
    alone = keyed(options=options, turn_key="k2", session="s2")
    first = Reading(replica, alone)
    await first.read(1)
    await first.leave()
    await left_alone(replica, "k2")
    replica.simulator.open_gate("go")
    await until(lambda: replica.manager.kept._room._waiting)
    then = await resumed(replica, alone, 1)
    assert whole(first.events, then).message.parts[0].text.text == long


async def test_no_room_for_one_more(start, options):
    replica = await start({"MAX_KEPT_BYTES": "10000"})
    await replica.turn(keyed("sim:words(n=100)", options=options))
    events, failure = await failed_stream(replica, keyed(options=options, turn_key="k2"))
    assert (events, failure.reason) == ([], "OVERLOADED")
    assert "TRUNKLINE_MAX_KEPT_BYTES" in failure.message
    assert await replica.done(request("Hello."))  # without a key nothing is kept


async def test_a_deadline_is_a_caller_who_leaves(replica, options):
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say("Hello.")))
    wanted = keyed(options=options)
    first = Reading(replica, wanted, timeout=3.0)
    assert (await failed(first.rest())).code is grpc.StatusCode.DEADLINE_EXCEEDED
    await left_alone(replica)
    replica.simulator.open_gate("go")
    done = whole(first.events, await resumed(replica, wanted, len(first.events)))
    assert (done.report.attached, replica.simulator.stats.requests_total) == (True, 1)


async def test_a_large_request_is_held_until_its_turn_has_ended(replica, options):
    replica.simulator.enqueue(Script(Start(), Gate("go"), Say("Hello.")))
    wanted = keyed("word " * 40_000, options=options)
    first = Reading(replica, wanted)
    await first.read(1)
    await first.leave()
    await left_alone(replica)
    budget = replica.manager._budget
    assert budget.bytes >= 200_000
    replica.simulator.open_gate("go")
    await until(lambda: [kept.ended for kept in turns(replica)] == [True])
    await until(lambda: budget.bytes == 0)
    assert whole(first.events, await resumed(replica, wanted, 1)).report.attached
    other = keyed("word " * 40_001, options=options)
    assert (await failed_stream(replica, other))[1].fields == ["turn_key"]
