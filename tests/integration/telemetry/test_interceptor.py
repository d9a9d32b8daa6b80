"""Test every style of handler and every ending: span, metric and status agree."""

import asyncio
import logging
from contextlib import asynccontextmanager
from types import SimpleNamespace

import grpc
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from service.telemetry import calls, names
from service.telemetry.rpc_interceptor import Observation
from service.telemetry.telemetry import OFF
from tests.watching import PATIENCE_S

FOREVER_S = 3600
STYLES = ["unary_unary", "unary_stream", "stream_unary", "stream_stream"]
WRITING = ["unary_stream", "stream_stream"]
SENT = {False: [b"a"], True: [b"a", b"b"]}


async def behave(ending, context):
    """End a handler after its answer in this way."""
    if ending == "abort":
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "enough")
    if ending == "set_code":
        context.set_code(grpc.StatusCode.NOT_FOUND)
    if ending == "raise":
        raise LookupError("secret")
    if ending == "raise_with_code":
        context.set_code(grpc.StatusCode.DATA_LOSS)
        raise LookupError("secret")
    if ending == "hang":
        context.began.set()
        await asyncio.sleep(FOREVER_S)


def handler_of(style, ending, began, *, yields):
    """A handler of this style: it reads everything, answers b"1" (a stream also b"2"), and ends this way."""

    async def read(request):
        return [message async for message in request] if style.startswith("stream") else [request]

    def reported(context):
        return SimpleNamespace(abort=context.abort, set_code=context.set_code, began=began)

    async def one(request, context):
        assert await read(request) in SENT.values()
        await behave(ending, reported(context))
        return b"1"

    async def write(request, context):
        assert await read(request) in SENT.values()
        await context.write(b"1")
        await context.write(b"2")
        await behave(ending, reported(context))

    async def generate(request, context):
        assert await read(request) in SENT.values()
        yield b"1"
        yield b"2"
        await behave(ending, reported(context))

    many = generate if yields else write
    behaviour = many if style.endswith("_stream") else one
    return getattr(grpc, f"{style}_rpc_method_handler")(behaviour)


@asynccontextmanager
async def serving(handler, telemetry=OFF):
    server = grpc.aio.server(interceptors=[Observation({"/t.Test/Go"}, telemetry)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.Test", {"Go": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(0)


def open_call(channel, style, *, method="/t.Test/Go", **more):
    streams = style.startswith("stream")
    request = iter([b"a", b"b"]) if streams else b"a"
    return getattr(channel, style)(method)(request, **more)


async def finish(call):
    """The messages of a call, and its status."""
    messages = []
    try:
        if hasattr(call, "__aiter__"):
            async for message in call:
                messages.append(message)  # noqa: PERF401  what came before a failure counts
        else:
            messages.append(await call)
    except grpc.RpcError:
        pass
    return messages, await call.code()


async def the_span(seen):
    await seen.until(lambda: seen.spans)
    return seen.one("t.Test/Go")


ENDINGS = {
    "ok": (grpc.StatusCode.OK, StatusCode.UNSET),
    "abort": (grpc.StatusCode.RESOURCE_EXHAUSTED, StatusCode.UNSET),
    "set_code": (grpc.StatusCode.NOT_FOUND, StatusCode.UNSET),
    "raise": (grpc.StatusCode.UNKNOWN, StatusCode.ERROR),
    "raise_with_code": (grpc.StatusCode.DATA_LOSS, StatusCode.ERROR),
}
CASES = [(style, yields) for style in STYLES for yields in ([False, True] if style in WRITING else [False])]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(("style", "yields"), CASES)
async def test_span_and_metric_show_the_caller_s_status(seen, style, yields, ending):
    code, status = ENDINGS[ending]
    async with serving(handler_of(style, ending, asyncio.Event(), yields=yields), seen.telemetry) as channel:
        messages, reported = await finish(open_call(channel, style))
        span = await the_span(seen)
    assert reported is code
    if style.endswith("_stream"):
        assert messages == [b"1", b"2"]
    assert span.kind is SpanKind.SERVER
    assert span.status.status_code is status
    assert span.attributes[names.RPC_STATUS] == code.name
    assert span.attributes.get(names.ERROR_TYPE) == (code.name if status is StatusCode.ERROR else None)
    labels = {"rpc__method": "t.Test/Go", "rpc__response__status_code": code.name}
    assert seen.count(names.RPC_SERVER_CALL_DURATION, **labels) == 1
    assert "secret" not in span.to_json()


@pytest.mark.parametrize(("style", "yields"), CASES)
async def test_a_caller_who_leaves(seen, style, yields):
    began = asyncio.Event()
    async with serving(handler_of(style, "hang", began, yields=yields), seen.telemetry) as channel:
        call = open_call(channel, style)
        if style.endswith("_stream"):
            await call.read()
        await asyncio.wait_for(began.wait(), PATIENCE_S)
        call.cancel()
        span = await the_span(seen)
    assert (span.attributes[names.RPC_STATUS], span.status.status_code) == ("CANCELLED", StatusCode.UNSET)


@pytest.mark.parametrize(("style", "yields"), CASES)
async def test_a_deadline(seen, style, yields, monkeypatch):
    # The server may have read the call late, and its deadline is then later than the caller's.
    monkeypatch.setattr(calls, "DEADLINE_SLACK_S", PATIENCE_S)
    async with serving(handler_of(style, "hang", asyncio.Event(), yields=yields), seen.telemetry) as channel:
        _, reported = await finish(open_call(channel, style, timeout=2))
        span = await the_span(seen)
    assert reported is grpc.StatusCode.DEADLINE_EXCEEDED
    assert span.attributes[names.RPC_STATUS] == "DEADLINE_EXCEEDED"
    assert span.status.status_code is StatusCode.ERROR


async def test_a_cancellation_long_before_the_deadline_is_cancelled(seen):
    began = asyncio.Event()
    async with serving(handler_of("unary_unary", "hang", began, yields=False), seen.telemetry) as channel:
        call = open_call(channel, "unary_unary", timeout=PATIENCE_S)
        await asyncio.wait_for(began.wait(), PATIENCE_S)
        call.cancel()
        assert (await the_span(seen)).attributes[names.RPC_STATUS] == "CANCELLED"


async def test_a_server_that_stops(seen):
    began = asyncio.Event()
    async with serving(handler_of("unary_unary", "hang", began, yields=False), seen.telemetry) as channel:
        call = open_call(channel, "unary_unary")
        await asyncio.wait_for(began.wait(), PATIENCE_S)
    assert (await the_span(seen)).attributes[names.RPC_STATUS] == "CANCELLED"
    assert await call.code() is not grpc.StatusCode.OK


async def test_a_method_that_does_not_exist(seen):
    async with serving(
        handler_of("unary_unary", "ok", asyncio.Event(), yields=False), seen.telemetry
    ) as channel:
        _, reported = await finish(open_call(channel, "unary_unary", method="/t.Test/Gone"))
        await seen.until(lambda: seen.spans)
    assert reported is grpc.StatusCode.UNIMPLEMENTED
    span = seen.one("_OTHER")
    assert span.attributes[names.RPC_METHOD_ORIGINAL] == "/t.Test/Gone"
    assert (span.attributes[names.RPC_STATUS], span.status.status_code) == ("UNIMPLEMENTED", StatusCode.ERROR)
    assert seen.count(names.RPC_SERVER_CALL_DURATION, rpc__method="_OTHER") == 1


async def test_a_request_that_cannot_be_read(seen):
    def unreadable(data):
        raise ValueError("no message")

    async def never(request, context):
        raise AssertionError("it was never asked")

    handler = grpc.unary_unary_rpc_method_handler(never, request_deserializer=unreadable)
    async with serving(handler, seen.telemetry) as channel:
        _, reported = await finish(open_call(channel, "unary_unary"))
        span = await the_span(seen)
    assert reported is grpc.StatusCode.UNKNOWN
    assert (span.attributes[names.RPC_STATUS], span.status.status_code) == ("UNKNOWN", StatusCode.ERROR)


async def test_a_blocking_handler_is_served_without_a_recorded_status(seen):
    async with serving(
        grpc.unary_unary_rpc_method_handler(lambda request, context: b"1"), seen.telemetry
    ) as channel:
        assert await finish(open_call(channel, "unary_unary")) == ([b"1"], grpc.StatusCode.OK)
        span = await the_span(seen)
    assert names.RPC_STATUS not in span.attributes


async def test_a_status_given_by_its_number(seen):
    async def refuse(request, context):
        await context.abort(7, "no")

    async with serving(grpc.unary_unary_rpc_method_handler(refuse), seen.telemetry) as channel:
        _, reported = await finish(open_call(channel, "unary_unary"))
        span = await the_span(seen)
    assert reported.name == span.attributes[names.RPC_STATUS] == "PERMISSION_DENIED"


async def test_a_remote_trace_is_continued(seen):
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    metadata = (("traceparent", f"00-{trace}-{parent}-01"), ("other-bin", b"\0"))
    async with serving(
        handler_of("unary_unary", "ok", asyncio.Event(), yields=False), seen.telemetry
    ) as channel:
        await finish(open_call(channel, "unary_unary", metadata=metadata))
        span = await the_span(seen)
    assert f"{span.context.trace_id:032x}" == trace
    assert f"{span.parent.span_id:016x}" == parent


@pytest.mark.parametrize("traceparent", ["", "nonsense", "00-0-0-01"])
async def test_an_unreadable_trace_header_fails_nothing(seen, traceparent):
    async with serving(
        handler_of("unary_unary", "ok", asyncio.Event(), yields=False), seen.telemetry
    ) as channel:
        metadata = (("traceparent", traceparent), ("traceparent", traceparent))
        _, reported = await finish(open_call(channel, "unary_unary", metadata=metadata))
        span = await the_span(seen)
    assert reported is grpc.StatusCode.OK
    assert span.parent is None


async def test_probes_have_no_spans_or_metrics(seen):
    async with serving(
        handler_of("unary_unary", "ok", asyncio.Event(), yields=False), seen.telemetry
    ) as channel:
        await finish(open_call(channel, "unary_unary", method="/grpc.health.v1.Health/Check"))
        await finish(open_call(channel, "unary_unary", method="/grpc.reflection.v1alpha.X/Y"))
        await finish(open_call(channel, "unary_unary"))
        await seen.until(lambda: seen.spans)
    assert [span.name for span in seen.spans] == ["t.Test/Go"]


async def test_concurrent_calls_have_separate_traces(seen, caplog):
    """Each in its own trace, and nothing that would be detached in another context."""
    with caplog.at_level(logging.ERROR):
        async with serving(
            handler_of("unary_stream", "ok", asyncio.Event(), yields=True), seen.telemetry
        ) as channel:
            await asyncio.gather(*(finish(open_call(channel, "unary_stream")) for _ in range(20)))
            await seen.until(lambda: len(seen.spans) == 20)
    assert len({span.context.trace_id for span in seen.spans}) == 20
    assert {span.parent for span in seen.spans} == {None}
    ours = [record for record in caplog.records if not record.name.startswith("opentelemetry.exporter")]
    assert ours == [], "nothing of opentelemetry.context either"


async def test_without_tracing_a_call_is_still_timed():
    async with serving(handler_of("unary_unary", "ok", asyncio.Event(), yields=False)) as channel:
        assert await finish(open_call(channel, "unary_unary")) == ([b"1"], grpc.StatusCode.OK)
