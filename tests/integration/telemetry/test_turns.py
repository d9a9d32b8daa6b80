"""Test the spans of a turn: which, in which order, with which parents and attributes."""

import asyncio
import gc
from urllib.parse import urlsplit

import grpc
import pytest
from opentelemetry.sdk.trace import Span as RecordedSpan
from opentelemetry.trace import SpanKind, StatusCode

from service.domain.messages import CompletionRequest
from service.domain.turn_record import TurnRecord
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import session_pb2
from service.telemetry import names
from service.telemetry.instruments import MAX_VALUES
from service.telemetry.turn_publisher import TurnTrace
from simulator import Settings
from simulator.scripts import Close, Drop, Emit, Fail, Hang, Say, Script, Start
from tests.stack import MODEL, request, stack
from tests.watching import PATIENCE_S

METHOD = "trunkline.v1.CompletionService/StreamCompletion"
CHAT = f"chat {MODEL}"
OPTIONS = {
    "temperature": 0.0,
    "top_p": 0.5,
    "max_output_tokens": 100,
    "reasoning": {"effort": "low"},
    "service_tier": "flex",
}


async def turn(service, seen, *said, **fields):
    """Run one turn to its end; return it and the spans below its call."""
    before = len(seen.named(METHOD))
    done = await service.done(request(*said, **fields))
    await seen.until(lambda: len(seen.named(METHOD)) == before + 1)
    return done, below(seen, seen.named(METHOD)[-1])


def below(seen, parent):
    return [span for span in seen.spans if span.parent and span.parent.span_id == parent.context.span_id]


def events_of(span):
    return [event.name for event in span.events]


async def test_a_first_turn(service, seen):
    done, (acquire, chat) = await turn(service, seen, "Hello.", request_id="r-1", options=OPTIONS)
    server, dial = seen.one(METHOD), seen.one(names.SPAN_DIAL)

    assert [span.name for span in (acquire, chat)] == [names.SPAN_ACQUIRE, CHAT]
    assert (server.kind, acquire.kind) == (SpanKind.SERVER, SpanKind.INTERNAL)
    assert (chat.kind, dial.kind) == (SpanKind.CLIENT, SpanKind.CLIENT)
    assert dial.parent.span_id == acquire.context.span_id
    assert [link.context.span_id for link in acquire.links] == [dial.context.span_id]
    assert acquire.end_time <= chat.start_time
    assert events_of(acquire) == [names.EVENT_ADMITTED, names.EVENT_LEASED]
    assert events_of(chat) == [
        names.EVENT_SENT,
        names.EVENT_CREATED,
        names.EVENT_FIRST_CONTENT,
        names.EVENT_TERMINAL,
    ]
    assert {span.status.status_code for span in seen.spans} == {StatusCode.UNSET}

    reported = dict(chat.attributes)
    waited = reported.pop(names.TIME_TO_FIRST_CHUNK)
    assert 0 < waited < PATIENCE_S
    assert reported == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.conversation.id": "s1",
        "gen_ai.request.model": MODEL,
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.top_p": 0.5,
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.reasoning.level": "low",
        "gen_ai.output.type": "text",
        "gen_ai.response.id": done.report.response_id,
        "gen_ai.response.model": done.model,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": done.usage.input_tokens,
        "gen_ai.usage.cache_read.input_tokens": done.usage.cached_input_tokens,
        "gen_ai.usage.cache_write.input_tokens": done.usage.cache_write_tokens,
        "gen_ai.usage.output_tokens": done.usage.output_tokens,
        "gen_ai.usage.reasoning.output_tokens": done.usage.reasoning_tokens,
        "openai.api.type": "responses",
        "openai.request.service_tier": "flex",
        "openai.response.service_tier": "flex",
        "server.address": "127.0.0.1",
        "server.port": urlsplit(service.simulator.url).port,
        "trunkline.request_id": "r-1",
        "trunkline.turn_id": seen.one(METHOD).attributes[names.TURN_ID],
        "trunkline.attempt": 1,
        "trunkline.transport": "websocket",
        "trunkline.transport.reason": "preferred",
        "trunkline.context": "full",
        "trunkline.context.reason": "first_turn",
        "trunkline.connection_reused": False,
        "trunkline.bytes_sent": done.report.bytes_sent,
        "trunkline.bytes_saved": 0,
        "trunkline.response.items": ("message",),
    }
    assert server.attributes[names.CONVERSATION] == "s1"
    assert server.attributes[names.ATTEMPTS] == 1
    assert server.attributes[names.RPC_SYSTEM] == "grpc"


async def test_the_next_turn_is_linked_to_the_dial_of_the_first(service, seen):
    first, _ = await turn(service, seen, "Hello.")
    done, (acquire, chat) = await turn(service, seen, "Hello.", first.message, "And?")
    dial = seen.one(names.SPAN_DIAL)
    assert [link.context.span_id for link in acquire.links] == [dial.context.span_id]
    assert dial.context.trace_id != acquire.context.trace_id
    assert chat.attributes[names.CONTEXT] == "incremental"
    assert chat.attributes[names.CONTEXT_REASON] == "continued"
    assert chat.attributes[names.REUSED] is True
    assert chat.attributes[names.BYTES_SAVED] == done.report.bytes_saved > 0
    assert seen.count(names.CONTINUATION, result="full", reason="first_turn") == 1
    assert seen.count(names.CONTINUATION, result="incremental", reason="continued") == 1
    assert seen.count(names.TURN_BYTES_SAVED) == done.report.bytes_saved
    assert seen.count(names.LINE_CHECKOUT, result="dialed") == 1
    assert seen.count(names.LINE_CHECKOUT, result="reused") == 1
    assert seen.count(names.LINE_DIALS, result="ok") == 1


async def test_a_fallback(service, seen):
    service.simulator.settings.refuse_websocket = 426
    done, (acquire, chat) = await turn(service, seen, "Hello.")
    dial = seen.one(names.SPAN_DIAL)
    assert dial.parent.span_id == acquire.context.span_id
    for span in (acquire, dial):
        assert (span.status.status_code, span.attributes[names.ERROR_TYPE]) == (
            StatusCode.ERROR,
            "CONNECT_FAILED",
        )
    assert dial.attributes[names.UPSTREAM_STATUS] == 426
    assert chat.status.status_code is StatusCode.UNSET
    assert chat.attributes[names.TRANSPORT] == "sse"
    assert chat.attributes[names.TRANSPORT_REASON] == done.report.transport_reason == "upgrade_refused"
    assert seen.one(METHOD).status.status_code is StatusCode.UNSET
    assert seen.count(names.FALLBACKS, cause="upgrade_refused") == 1
    assert seen.count(names.REPLAYS) == 0
    assert seen.count(names.TURNS, ending="OK", transport="sse") == 1
    assert seen.count(names.LINE_DIALS, result="CONNECT_FAILED") == 1


async def test_a_replay(service, seen):
    service.simulator.enqueue(Script(Start(), Drop()))
    done, spans = await turn(service, seen, "Hello.")
    assert [span.name for span in spans] == [names.SPAN_ACQUIRE, CHAT, names.SPAN_ACQUIRE, CHAT]
    lost, replay = seen.named(CHAT)
    assert lost.attributes[names.ERROR_TYPE] == "CONNECTION_LOST"
    assert events_of(lost) == [names.EVENT_SENT, names.EVENT_CREATED, names.EVENT_TERMINAL]
    assert replay.status.status_code is StatusCode.UNSET
    assert [span.attributes[names.ATTEMPT] for span in (lost, replay)] == [1, 2]
    assert lost.end_time <= replay.start_time
    assert seen.one(METHOD).attributes[names.ATTEMPTS] == done.report.attempts == 2
    assert seen.count(names.REPLAYS, cause="CONNECTION_LOST") == 1
    assert seen.count(names.LINE_CLOSES, reason="upstream_gone") == 1


async def test_a_lost_chain(service, seen):
    first, _ = await turn(service, seen, "Hello.")
    service.simulator.enqueue(Script(Fail(code="previous_response_not_found", status=400)))
    _, spans = await turn(service, seen, "Hello.", first.message, "And?")
    lost, replay = [span for span in spans if span.name == CHAT]
    assert (lost.attributes[names.CONTEXT], lost.attributes[names.ERROR_TYPE]) == (
        "incremental",
        "CHAIN_LOST",
    )
    assert lost.attributes[names.UPSTREAM_CODE] == "previous_response_not_found"
    assert (replay.attributes[names.CONTEXT], replay.attributes[names.CONTEXT_REASON]) == (
        "full",
        "chain_lost",
    )
    assert seen.count(names.REPLAYS, cause="CHAIN_LOST") == 1


async def test_a_turn_cancelled_while_dialling_has_no_attempt(service, seen):
    """A wait for a connection ends with its turn."""
    service.simulator.settings.hang_handshake = True
    call = service.completions.StreamCompletion(request("Hello."))
    reading = asyncio.ensure_future(call.read())
    await service.simulator.wait_for(lambda: service.simulator.stats.handshakes == 1, PATIENCE_S)
    call.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await seen.until(lambda: seen.named(METHOD))
    for name in (names.SPAN_ACQUIRE, names.SPAN_DIAL):
        assert seen.one(name).attributes[names.ERROR_TYPE] == "CANCELLED"
    assert seen.named(CHAT) == []
    assert seen.count(names.CANCELLED, who="caller") == 1
    assert seen.count(names.CONTINUATION) == 0


async def test_a_failed_turn_still_counts_its_usage(service, seen):
    service.simulator.enqueue(Script(Say("Half", closed=False), Fail(usage=True)))
    with pytest.raises(grpc.RpcError):
        await service.turn(request("Hello."))
    await seen.until(lambda: seen.named(METHOD))
    chat = seen.one(CHAT)
    assert chat.attributes[names.INPUT_TOKENS] > 0
    assert seen.count(names.TOKENS, model="other", type="input") == chat.attributes[names.INPUT_TOKENS]


async def test_a_model_has_its_label_once_it_answered(service, seen):
    for number in range(MAX_VALUES + 10):
        service.simulator.enqueue(Script(Fail("No such model.", "model_not_found", 400)))
        with pytest.raises(grpc.RpcError):
            await service.turn(request("Hello.", model=f"invented-{number}"))
    await service.done(request("Hello."))
    await seen.until(lambda: seen.count(names.TOKENS, model=MODEL))
    models = {dict(found)[names.REQUEST_MODEL] for found in seen.points(names.OPERATION_DURATION)}
    assert models == {"other", MODEL}


async def test_tokens_by_tenant_and_model(seen):
    async with stack({"AUTH_TOKENS": "t0ken=acme"}, telemetry=seen.telemetry) as service:
        bearer = (("authorization", "Bearer t0ken"),)
        usage = (await service.done(request("Hello."), metadata=bearer)).usage
    for kind, number in {"input": usage.input_tokens, "output": usage.output_tokens}.items():
        assert seen.count(names.TOKENS, tenant="acme", model=MODEL, type=kind) == number
        assert seen.count(names.TOKEN_USAGE, gen_ai__token__type=kind) == 1


async def test_events_of_unknown_kinds(service, seen):
    service.simulator.enqueue(Script(Start(), Emit({"type": "response.jingle"}), Say("Hello.")))
    _, (_, chat) = await turn(service, seen, "Hello.")
    assert chat.attributes[names.IGNORED_EVENTS] == ("response.jingle",)
    assert seen.count(names.UNKNOWN_EVENTS, kind="unknown") == 1


@pytest.mark.parametrize(
    ("limits", "limit"), [({"MAX_TURNS": "1"}, "turns"), ({"MAX_SESSIONS": "1"}, "sessions")]
)
async def test_what_a_limit_refuses(seen, limits, limit):
    async with stack(limits, telemetry=seen.telemetry) as service:
        service.simulator.enqueue(Script(Start(), Hang()))
        running = service.completions.StreamCompletion(request("Wait."))
        await running.read()
        with pytest.raises(grpc.RpcError):
            await service.turn(request("Hello.", session="s2"))
        running.cancel()
    assert seen.count(names.REFUSED, limit=limit) == 1
    assert seen.count(names.TURNS, ending="OVERLOADED", transport="none") == 1


async def test_an_unavailable_connection_is_recorded(seen):
    async with stack({"MAX_CONNECTIONS": "1"}, telemetry=seen.telemetry) as service:
        service.simulator.enqueue(Script(Start(), Hang()))
        running = service.completions.StreamCompletion(request("Wait."))
        await running.read()
        forced = request("Hello.", session="s2", options={"transport": pb.TRANSPORT_WEBSOCKET})
        with service.connecting_within(0.1), pytest.raises(grpc.RpcError):
            await service.turn(forced)
        running.cancel()
    assert seen.count(names.REFUSED, limit="connections") == 1
    assert seen.count(names.LINE_CHECKOUT, result="OVERLOADED") == 1


@pytest.mark.parametrize(
    ("step", "reason"),
    [(Close(1011), "upstream_1011"), (Close(3999), "upstream_other"), (Drop(), "upstream_gone")],
)
async def test_each_upstream_close_is_counted_by_reason(service, seen, step, reason):
    service.simulator.enqueue(Script(Say("Half", closed=False), step))
    with pytest.raises(grpc.RpcError):
        await service.turn(request("Hello."))
    await seen.until(lambda: seen.count(names.LINE_CLOSES, reason=reason))


async def test_each_local_close_is_counted_by_reason(seen):
    async with stack(telemetry=seen.telemetry) as service:
        await service.done(request("Hello.", session="gone"))
        service.manager.release("", "gone")
        await service.done(request("Hello.", session="stays"))
        service.simulator.enqueue(Script(Say("Half", closed=False), Hang()))
        call = service.completions.StreamCompletion(request("Hello.", session="cut"))
        while not (await call.read()).HasField("text_delta"):
            pass
        call.cancel()
        await seen.until(lambda: seen.count(names.LINE_CLOSES) == 2)
    await seen.until(lambda: seen.count(names.LINE_CLOSES) == 3)
    for reason in ("retired", "cut_off", "shutdown"):
        assert seen.count(names.LINE_CLOSES, reason=reason) == 1


async def test_a_warm_up_dials_within_its_own_call(service, seen):
    await service.sessions.WarmSession(session_pb2.WarmSessionRequest(session_id="s1"))
    await seen.until(lambda: len(seen.spans) == 2)
    server = seen.one("trunkline.v1.SessionService/WarmSession")
    assert seen.one(names.SPAN_DIAL).parent.span_id == server.context.span_id
    _, (acquire, _) = await turn(service, seen, "Hello.")
    assert acquire.links[0].context.trace_id == server.context.trace_id


async def test_a_spare_connection_is_dialled_in_its_own_trace(seen):
    async with stack({"WARM_SPARES": "1"}, telemetry=seen.telemetry):
        await seen.until(lambda: seen.named(names.SPAN_DIAL))
    assert seen.one(names.SPAN_DIAL).parent is None


async def test_the_trace_reaches_the_upstream_over_http_and_only_there(seen):
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    metadata = (("traceparent", f"00-{trace}-00f067aa0ba902b7-01"), ("baggage", "who=me"))
    async with stack(upstream=Settings(), telemetry=seen.telemetry) as service:
        sse = request("Hello.", options={"transport": pb.TRANSPORT_SSE})
        await service.turn(sse, metadata=metadata)
        await service.turn(request("Hello.", session="s2"), metadata=metadata)
        over_http, over_line = service.simulator.requests
    chat = seen.named(CHAT)[0]
    assert over_http.headers["traceparent"] == f"00-{trace}-{chat.context.span_id:016x}-01"
    for received in (over_http, over_line):
        assert "baggage" not in received.headers
    assert "traceparent" not in over_line.headers
    assert trace not in str(over_line.body)


async def test_an_idle_session_keeps_nothing_of_its_turns(service, seen):
    """Its connection was dialled in the first turn and still has the context of that call."""

    def kept():
        gc.collect()
        objects = gc.get_objects()
        # By type: `isinstance` asks each of millions of objects by the slow way of abstract classes.
        kinds = {
            kind
            for kind in set(map(type, objects))
            if issubclass(kind, (TurnTrace, TurnRecord, RecordedSpan, CompletionRequest))
        }
        return {id(one): one for one in objects if type(one) in kinds}

    before = kept()
    await turn(service, seen, "Hello.")
    after = kept()
    assert [after[one] for one in after.keys() - before.keys()] == []


async def test_a_request_never_written_has_no_sent_event(seen):
    """No transport reaches the upstream: nothing listens there."""
    async with stack({"UPSTREAM_URL": "http://127.0.0.1:9/v1"}, telemetry=seen.telemetry) as service:
        with pytest.raises(grpc.RpcError):
            await service.turn(request("Hello."))
    assert events_of(seen.one(CHAT)) == [names.EVENT_TERMINAL]
    assert seen.one(CHAT).attributes[names.ERROR_TYPE] == "CONNECT_FAILED"


async def test_the_phases_over_http(service, seen):
    _, (_, chat) = await turn(service, seen, "Hello.", options={"transport": pb.TRANSPORT_SSE})
    assert events_of(chat) == [
        names.EVENT_SENT,
        names.EVENT_CREATED,
        names.EVENT_FIRST_CONTENT,
        names.EVENT_TERMINAL,
    ]


async def test_an_unknown_method_never_names_a_span(service, seen):
    with pytest.raises(grpc.RpcError):
        await service.channel.unary_unary("/trunkline.v1.CompletionService/Jingle")(b"")
    await seen.until(lambda: seen.spans)
    assert seen.one("_OTHER").attributes[names.RPC_STATUS] == "UNIMPLEMENTED"
    assert seen.count(names.RPC_SERVER_CALL_DURATION, rpc__method="_OTHER") == 1


async def test_an_unauthenticated_call_has_a_span_with_its_reason(seen):
    async with stack({"AUTH_TOKENS": "t0ken=acme"}, telemetry=seen.telemetry) as service:
        with pytest.raises(grpc.RpcError):
            await service.turn(request("Hello."), metadata=(("authorization", "Bearer guess"),))
        await seen.until(lambda: seen.spans)
    server = seen.one(METHOD)
    assert server.attributes[names.RPC_STATUS] == server.attributes[names.REASON] == "UNAUTHENTICATED"
    assert server.status.status_code is StatusCode.UNSET
    assert "guess" not in server.to_json()


async def test_a_warm_up_between_two_attempts_belongs_to_neither(service, seen, caplog):
    """The first attempt is lost on a warm connection; the second opens a new one and warms it up."""
    await turn(service, seen, "Hello.")
    service.simulator.enqueue(Script(Start(), Drop()))
    _, spans = await turn(service, seen, "Hello.", options={"warm_up": True})
    lost, again = [span for span in spans if span.name == CHAT]
    assert events_of(lost).count(names.EVENT_SENT) == events_of(again).count(names.EVENT_SENT) == 1
    # Exporters of other tests may still speak of their collectors.
    assert [record for record in caplog.records if record.name.startswith("service")] == []
