"""Which way a turn takes, and that it looks the same over each."""

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from simulator import Settings
from simulator.scripts import Call, Close, Fail, Incomplete, Reason, Refuse, Say, Script
from tests.integration.service.talk import (
    LOOKUP,
    SSE,
    WEBSOCKET,
    Talk,
    context,
    failed,
    failed_stream,
    route,
)
from tests.stack import kinds_of, request, text_of

SCRIPTS = {
    "text": Script(Say("Plain text of several words.")),
    "parts": Script(Say("One.", more=("Two.",))),
    "everything": Script(
        Reason(("Hm.", "And hm.")),
        Say("Let me see. ", "commentary"),
        Call("lookup", '{"query": "a"}', "call_1"),
        Call("lookup", '{"query": "b"}', "call_2"),
        Say("So.", "final_answer"),
    ),
    "reasoning in full": Script(Reason((), "All of the thought."), Say("So.")),
    "refusal": Script(Refuse("No.")),
    "incomplete": Script(Say("Half an", closed=False), Incomplete()),
    "cut call": Script(Call("lookup", '{"quer', "call_1", closed=False), Incomplete()),
    "late text": Script(Say("All of it comes late.", streamed=4)),
    "nothing": Script(),
}
TOO_BIG = Script(Close(1009))


async def test_sse_where_it_is_asked_for(talk):
    done = await talk.say("Hello.", options=SSE)
    assert (route(done), context(done)) == (("SSE", "requested"), (False, "sse"))
    assert talk.received.transport == "http"
    assert talk.replica.simulator.stats.handshakes == 0
    assert talk.events[0].start.transport == pb.TRANSPORT_SSE
    assert done.report.bytes_sent == talk.received.size


async def test_a_websocket_where_nothing_is_asked_for_or_just_that(talk):
    assert route(await talk.say("Hello.")) == ("WEBSOCKET", "preferred")
    assert route(await talk.say("Again.", options={"transport": pb.TRANSPORT_AUTO})) == (
        "WEBSOCKET",
        "preferred",
    )
    assert route(await talk.say("And again.", options=WEBSOCKET)) == ("WEBSOCKET", "requested")
    assert talk.replica.simulator.stats.http_requests == 0


@pytest.mark.parametrize("script", SCRIPTS)
async def test_the_same_answer_over_either_is_the_same_to_the_caller(replica, script):
    """Event by event, neighbours of one part joined: only ids of the turn and the route differ."""
    streams: list[list[str]] = []
    for options in (WEBSOCKET, SSE):
        replica.simulator.enqueue(SCRIPTS[script])
        wanted = request("Go on.", session=str(len(streams)), tools=[LOOKUP], options=options)
        streams.append([_plain(event) for event in _joined(await replica.turn(wanted))])
    assert streams[0] == streams[1]


def _joined(events: list[pb.StreamCompletionResponse]) -> list[pb.StreamCompletionResponse]:
    """How deltas are cut is a matter of reads: it may differ from one run to the next over the same line."""
    joined: list[pb.StreamCompletionResponse] = []
    for event in events:
        kind = event.WhichOneof("event")
        name = "arguments_delta" if kind == "tool_call_delta" else "delta"
        if kind.endswith("_delta") and joined and joined[-1].WhichOneof("event") == kind:
            last, this = getattr(joined[-1], kind), getattr(event, kind)
            if last.content_index == this.content_index:
                setattr(last, name, getattr(last, name) + getattr(this, name))
                continue
        joined.append(event)
    return joined


def _plain(event: pb.StreamCompletionResponse) -> str:
    """All of an event but what is this turn's own: numbers, ids, times, the route."""
    plain = pb.StreamCompletionResponse()
    plain.CopyFrom(event)
    plain.ClearField("sequence")
    if plain.HasField("start"):
        plain.start.turn_id = ""
        plain.start.transport = pb.TRANSPORT_UNSPECIFIED
    if plain.HasField("done"):
        plain.done.ClearField("report")
        plain.done.ClearField("created_at")
        for part in plain.done.message.parts:
            if part.HasField("reasoning"):
                part.reasoning.id = part.reasoning.encrypted_content = "sealed"
            part.ClearField("item_id")
    return str(plain)


@pytest.mark.parametrize("status", [404, 405, 426, 501])
async def test_a_refused_upgrade_is_invisible(start, status):
    replica = await start(upstream=Settings(refuse_websocket=status))
    events = await replica.turn(request("Hello."))
    assert kinds_of(events).count("start") == 1
    assert events[0].start.transport == pb.TRANSPORT_SSE
    done = events[-1].done
    assert route(done) == ("SSE", "upgrade_refused")
    assert done.report.attempts == 1
    assert "over http" in text_of(events)


async def test_a_handshake_that_fails_is_invisible(start):
    replica = await start(upstream=Settings(refuse_websocket=503))
    assert route(await replica.done(request("Hello."))) == ("SSE", "connect_failed")


async def test_a_handshake_that_hangs_is_given_up(start):
    replica = await start(upstream=Settings(hang_handshake=True))
    with replica.connecting_within(0.1):  # of the handshake only: HTTP has the limit of its start
        done = await replica.done(request("Hello."))
    assert route(done) == ("SSE", "connect_failed")


@pytest.mark.parametrize("status", [426, 500, 503])
async def test_a_forced_websocket_that_cannot_be_had_is_an_error_of_which_nothing_was_sent(start, status):
    replica = await start(upstream=Settings(refuse_websocket=status))
    events, failure = await failed_stream(replica, request("Hello.", options=WEBSOCKET))
    assert events == []
    assert failure.code is grpc.StatusCode.UNAVAILABLE
    info = failure.info
    assert (info.reason, info.domain) == ("CONNECT_FAILED", "trunkline")
    assert info.metadata["sent"] == "false"
    assert info.metadata["events_emitted"] == "0"
    assert info.metadata["transport_reason"]
    assert replica.simulator.stats.requests_total == replica.simulator.stats.http_requests == 0


async def test_a_refused_key_is_said_at_once_and_not_sent_by_another_way(start):
    replica = await start(upstream=Settings(keys=("another",)))
    failure = await failed(replica.turn(request("Hello.")))
    assert failure.code is grpc.StatusCode.FAILED_PRECONDITION
    assert failure.reason == "UPSTREAM_AUTH"
    assert replica.simulator.stats.http_requests == 0


async def test_a_frame_over_the_gate_goes_by_sse(start):
    replica = await start({"MAX_FRAME_BYTES": "2000"})
    talk = Talk(replica)
    done = await talk.say("x" * 3000)
    assert (route(done), done.report.attempts) == (("SSE", "too_big"), 1)
    assert talk.received.transport == "http"


async def test_an_increment_that_fits_goes_over_the_line_again(start):
    """Each request is measured for itself: 1800 bytes fit alone, but not with what came before."""
    replica = await start({"MAX_FRAME_BYTES": "2000"})
    talk = Talk(replica)
    assert route(await talk.say("x" * 1500)) == ("WEBSOCKET", "preferred")
    done = await talk.say("y" * 1500)
    assert (route(done), context(done)) == (("WEBSOCKET", "preferred"), (True, "continued"))


async def test_a_frame_over_the_gate_is_refused_where_the_websocket_is_forced(start):
    replica = await start({"MAX_FRAME_BYTES": "2000"})
    failure = await failed(replica.turn(request("x" * 3000, options=WEBSOCKET)))
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert (failure.reason, failure.sent) == ("MESSAGE_TOO_BIG", "false")
    assert await replica.done(request("Hello.", options=WEBSOCKET))


async def test_a_frame_that_the_upstream_finds_too_big_goes_by_sse(start):
    replica = await start(upstream=Settings(max_message_bytes=2000))
    done = await replica.done(request("x" * 3000))
    assert (route(done), done.report.attempts) == (("SSE", "too_big"), 2)


async def test_what_was_found_too_big_once_is_not_sent_that_way_again(replica):
    replica.simulator.enqueue(TOO_BIG)
    talk = Talk(replica)
    assert (await talk.say("x" * 3000)).report.attempts == 2
    for _ in range(2):
        done = await talk.say("And again.")
        assert (route(done), done.report.attempts) == (("SSE", "too_big"), 1)
    assert [received.transport for received in replica.simulator.requests] == ["websocket"] + ["http"] * 3


async def test_a_smaller_frame_of_the_session_and_those_of_others_are_no_matter_of_it(replica):
    replica.simulator.enqueue(TOO_BIG)
    await replica.done(request("x" * 3000))
    assert route(await replica.done(request("x" * 2999))) == ("WEBSOCKET", "preferred")
    assert route(await replica.done(request("x" * 3000))) == ("SSE", "too_big")
    assert route(await replica.done(request("x" * 3000, session="other"))) == ("WEBSOCKET", "preferred")


async def test_where_the_websocket_is_forced_it_is_refused_at_once_and_nothing_is_sent(replica):
    replica.simulator.enqueue(Script(Fail("Too large.", None, 413, "")))
    failures = [
        await failed(replica.turn(request("x" * size, options=WEBSOCKET))) for size in (3000, 3000, 4000)
    ]
    assert [(failure.reason, failure.sent) for failure in failures] == [
        ("MESSAGE_TOO_BIG", "true"),
        ("MESSAGE_TOO_BIG", "false"),
        ("MESSAGE_TOO_BIG", "false"),
    ]
    assert "found a frame of" in failures[1].message
    assert replica.simulator.stats.requests_total == 1
    assert await replica.done(request("Hello.", options=WEBSOCKET))


async def test_all_of_a_request_is_the_same_over_either(replica):
    """Same body, but for what makes it a WebSocket event or a stream."""
    options = {
        "temperature": 0.0,
        "max_output_tokens": 100,
        "reasoning": {"effort": "low", "summary": "auto"},
    }
    bodies: list[dict[str, object]] = []
    for transport in (WEBSOCKET, SSE):
        talk = Talk(replica, str(len(bodies)), tools=[LOOKUP], instructions="Be brief.")
        await talk.say("Hello.", options={**options, **transport})
        bodies.append(talk.received.body)
        assert talk.received.body.pop("prompt_cache_key")  # each session has one of its own
    websocket, http = bodies
    assert websocket.pop("type") == "response.create"
    assert http.pop("stream") is True
    assert websocket == http
