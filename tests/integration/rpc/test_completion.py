"""Test turns over a real channel: the grammar of the stream, and every way it ends."""

import asyncio
import json
import logging
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]
from grpc_status import rpc_status

from service.domain.errors import Reason, TurnError, UpstreamDetail, Violation
from service.domain.messages import Message, Role, TextPart
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import message_pb2
from service.gen.trunkline.v1.completion_pb2_grpc import CompletionServiceStub
from tests.integration.rpc.fakes import COMPLETED, STARTED, text

USER = message_pb2.Message(
    role=message_pb2.ROLE_USER, parts=[message_pb2.Part(text=message_pb2.TextPart(text="hi"))]
)
ASKED: dict[str, Any] = {"session_id": "s", "model": "gpt", "messages": [USER], "request_id": "req"}
STREAM = pb.StreamCompletionRequest(**ASKED)
UNARY = pb.CompleteRequest(**ASKED)
LOST = TurnError(Reason.CONNECTION_LOST, "the line is gone", upstream=UpstreamDetail(status=1006))


async def ended(call):
    """All messages of a stream, and its error."""
    messages = []
    try:
        while (message := await call.read()) is not grpc.aio.EOF:  # type: ignore[attr-defined]
            messages.append(message)
    except grpc.aio.AioRpcError as error:
        return messages, error
    return messages, None


async def failed(call):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


def kinds(messages):
    assert [message.sequence for message in messages] == list(range(1, len(messages) + 1))
    return [message.WhichOneof("event") for message in messages]


def detail(error, kind):
    found = [packed for packed in rpc_status.from_call(error).details if packed.Is(kind.DESCRIPTOR)]
    if not found:
        return None
    reported = kind()
    found[0].Unpack(reported)
    return reported


def info(error):
    reported = detail(error, error_details_pb2.ErrorInfo)
    assert reported.domain == "trunkline"
    return reported.reason, dict(reported.metadata)


async def test_start_content_done(completion, manager):
    manager.steps = [[STARTED], [text("he"), text("l")], [text("lo"), COMPLETED]]
    messages, error = await ended(completion.StreamCompletion(STREAM))
    assert error is None
    assert kinds(messages) == ["start", "text_delta", "text_delta", "text_delta", "done"]
    assert [message.text_delta.delta for message in messages[1:4]] == ["he", "l", "lo"]
    assert messages[-1].done.message.parts[0].text.text == "hello"
    assert messages[-1].done.report.attempts == 1
    ((tenant, request),) = manager.calls
    assert (tenant, request.messages) == ("", (Message(Role.USER, (TextPart("hi"),)),))
    assert manager.turns[0].left_by is None


async def test_a_failure_after_content_ends_with_error_and_status(completion, manager):
    manager.steps = [[STARTED], [text("he")], LOST]
    messages, error = await ended(completion.StreamCompletion(STREAM))
    assert kinds(messages) == ["start", "text_delta", "error"]
    reported = messages[-1].error
    assert (reported.reason, reported.message, reported.retryable) == (
        "CONNECTION_LOST",
        "the line is gone",
        True,
    )
    assert (reported.partial.parts[0].text.text, reported.usage.total_tokens) == ("hello", 2)
    assert (error.code(), error.details()) == (grpc.StatusCode.ABORTED, "the line is gone")
    assert info(error) == (
        "CONNECTION_LOST",
        {
            "sent": "true",
            "events_emitted": "2",
            "request_id": "req",
            "turn_id": "turn_1",
            "transport_reason": "preferred",
            "attempts": "1",
            "upstream_status": "1006",
        },
    )


async def test_a_failure_before_start(completion, manager):
    manager.steps = [TurnError(Reason.CHAIN_LOST, "again")]
    messages, error = await ended(completion.StreamCompletion(STREAM))
    assert kinds(messages) == ["error"]
    assert messages[0].error.reason == info(error)[0] == "PROTOCOL_ERROR"
    assert error.code() is grpc.StatusCode.INTERNAL


async def test_a_turn_that_sent_nothing_has_a_status_alone(completion, manager):
    manager.dispatched = False
    manager.steps = [TurnError(Reason.CONNECT_FAILED, "no route")]
    messages, error = await ended(completion.StreamCompletion(STREAM))
    assert messages == []
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    reason, metadata = info(error)
    assert (reason, metadata["sent"], metadata["events_emitted"]) == ("CONNECT_FAILED", "false", "0")


async def test_a_turn_that_was_not_admitted(completion, manager):
    manager.refused = TurnError(Reason.OVERLOADED, "too many turns", retry_after=0.5)
    messages, error = await ended(completion.StreamCompletion(STREAM))
    assert messages == []
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert info(error) == ("OVERLOADED", {"sent": "false", "events_emitted": "0", "request_id": "req"})
    assert detail(error, error_details_pb2.RetryInfo).retry_delay.ToMilliseconds() == 500


@pytest.mark.parametrize("dispatched", [False, True])
async def test_grpc_itself_can_retry_only_what_was_not_sent(address, manager, dispatched):
    """Only the status is sent, so that this holds for any client and proxy."""
    manager.dispatched = dispatched
    manager.steps = [TurnError(Reason.CONNECT_FAILED, "no route")]
    policy: dict[str, Any] = {
        "maxAttempts": 3,
        "initialBackoff": "0.02s",  # at 1 ms grpc's own client hangs now and then
        "maxBackoff": "0.02s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    service_config = json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": policy}]})
    options = [("grpc.service_config", service_config)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        _, error = await ended(CompletionServiceStub(channel).StreamCompletion(STREAM))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert len(manager.calls) == (1 if dispatched else 3)


async def test_a_turn_that_times_out_while_waiting_ends_with_error(completion, manager):
    manager.limit = 0.05
    manager.steps = [[STARTED], asyncio.Event()]
    messages, error = await ended(completion.StreamCompletion(STREAM))
    assert kinds(messages) == ["start", "error"]
    assert (error.code(), info(error)[0]) == (grpc.StatusCode.ABORTED, "INTERRUPTED")


async def test_a_failure_after_done_is_not_reported(completion, manager):
    manager.steps = [[STARTED, COMPLETED]]
    manager.at_exit = TurnError(Reason.TIMEOUT, "late")
    messages, error = await ended(completion.StreamCompletion(STREAM))
    assert (kinds(messages), error) == (["start", "done"], None)
    assert (await completion.Complete(UNARY)).model == "gpt-1"


async def test_bad_input(completion, manager):
    messages, error = await ended(completion.StreamCompletion(pb.StreamCompletionRequest(session_id="s")))
    assert (messages, manager.calls) == ([], [])
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    reported = detail(error, error_details_pb2.BadRequest).field_violations
    assert [one.field for one in reported] == ["model", "messages"]


async def test_invalid_json_found_by_the_manager_names_its_field(completion, manager):
    violation = Violation("tools[0].parameters", "is not JSON")
    manager.refused = TurnError(Reason.INVALID_REQUEST, "bad", violations=(violation,))
    error = await failed(completion.Complete(UNARY))
    (reported,) = detail(error, error_details_pb2.BadRequest).field_violations
    assert (reported.field, reported.description) == ("tools[0].parameters", "is not JSON")


async def test_a_request_over_either_size_limit_is_refused(completion, manager):
    big = pb.CompleteRequest(**ASKED, instructions="x" * 100_000)
    error = await failed(completion.Complete(big))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert detail(error, error_details_pb2.BadRequest).field_violations[0].field == "request"
    huge = pb.CompleteRequest(**ASKED, instructions="x" * 1_200_000)
    assert (await failed(completion.Complete(huge))).code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    manager.steps = [[STARTED, COMPLETED]]
    assert await completion.Complete(UNARY)


@pytest.mark.parametrize(
    ("script", "reported"),
    [
        (([[STARTED], RuntimeError("s3cret prompt")], True), ["start", "error"]),
        (([RuntimeError("s3cret prompt")], False), []),
        (([[STARTED]], True), ["start", "error"]),
        (([], False), []),
    ],
    ids=["bug", "bug before dispatch", "no ending", "nothing at all"],
)
async def test_a_bug_ends_the_stream_once_with_internal(completion, manager, caplog, script, reported):
    manager.steps, manager.dispatched = script
    messages, error = await ended(completion.StreamCompletion(STREAM))
    unary = await failed(completion.Complete(UNARY))
    assert kinds(messages) == reported
    for failure in (error, unary):
        assert failure.code() is grpc.StatusCode.INTERNAL
        assert info(failure)[0] == "INTERNAL"
        assert failure.details() == "internal error; the log of the service says where"
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 2
    assert all(line.startswith("unexpected RuntimeError\n") for line in errors)
    assert "s3cret" not in caplog.text


async def test_cancel_reaches_the_turn(completion, manager):
    never = asyncio.Event()
    manager.steps = [[STARTED], never]
    call = completion.StreamCompletion(STREAM)
    await call.read()
    while not never._waiters:  # noqa: ASYNC110  the handler may still be in the write that was read
        await asyncio.sleep(0.002)
    call.cancel()
    await manager.turns[0].left.wait()
    assert manager.turns[0].left_by is asyncio.CancelledError


async def test_a_deadline_reaches_the_turn(completion, manager):
    manager.steps = [[STARTED], asyncio.Event()]
    messages, error = await ended(completion.StreamCompletion(STREAM, timeout=3))
    assert kinds(messages) == ["start"]
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await manager.turns[0].left.wait()
    assert manager.turns[0].left_by is asyncio.CancelledError


async def test_cancel_reaches_a_call_without_a_stream(completion, manager):
    manager.steps = [[STARTED], asyncio.Event()]
    call = completion.Complete(UNARY)
    await manager.begun.wait()
    call.cancel()
    await manager.turns[0].left.wait()
    assert manager.turns[0].left_by is asyncio.CancelledError


CHUNK = "x" * 60_000
CHUNKS = 500


async def test_a_slow_reader_stops_the_turn_and_gets_all_of_it(completion, manager):
    manager.steps = [[STARTED], *([text(CHUNK)] for _ in range(CHUNKS)), [COMPLETED]]
    call = completion.StreamCompletion(STREAM)
    await call.read()
    (turn,) = manager.turns
    assert turn.yielded < CHUNKS / 2
    messages, error = await ended(call)
    assert error is None
    assert len(messages) == CHUNKS + 1


async def test_the_error_follows_an_interrupted_write_once_the_caller_reads(completion, manager):
    """The turn ends within a blocked write; the error is sent after that write."""
    manager.steps = [[STARTED], *([text(CHUNK)] for _ in range(CHUNKS)), [COMPLETED]]
    call = completion.StreamCompletion(STREAM)
    begun = [await call.read() for _ in range(2)]
    (turn,) = manager.turns
    manager.scope.reschedule(asyncio.get_running_loop().time())
    await turn.left.wait()
    assert turn.left_by is GeneratorExit  # it stood at its yield; the handler was in the write
    messages, error = await ended(call)
    reported = kinds([*begun, *messages])
    assert reported[0] == "start"
    assert reported[-1] == "error"
    assert set(reported[1:-1]) == {"text_delta"}
    assert info(error)[1]["events_emitted"] == str(len(reported) - 1)
    assert error.code() is grpc.StatusCode.ABORTED


async def test_a_caller_who_stops_reading_and_leaves_ends_the_call(server, completion, manager, caplog):
    manager.limit = 0.3
    manager.steps = [[STARTED], *([text(CHUNK)] for _ in range(CHUNKS)), [COMPLETED]]
    call = completion.StreamCompletion(STREAM)
    await call.read()
    await manager.turns[0].left.wait()
    call.cancel()
    manager.steps = [[STARTED, COMPLETED]]
    assert await completion.Complete(UNARY)
    async with asyncio.timeout(10):
        await server.stop(60)  # returns when no call is left
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_complete(completion, manager):
    manager.steps = [[STARTED, text("he")], [text("llo"), COMPLETED]]
    response = await completion.Complete(UNARY)
    assert response.message.parts[0].text.text == "hello"
    assert (response.stop_reason, response.provider) == (pb.STOP_REASON_STOP, "openai")


async def test_complete_carries_the_error_once_something_was_sent(completion, manager):
    manager.steps = [[STARTED, text("he")], LOST]
    error = await failed(completion.Complete(UNARY))
    assert error.code() is grpc.StatusCode.ABORTED
    reported = detail(error, pb.Error)
    assert (reported.reason, reported.usage.total_tokens, reported.report.attempts) == (
        "CONNECTION_LOST",
        2,
        1,
    )
    assert not reported.HasField("partial")
    assert info(error)[1]["sent"] == "true"


async def test_complete_that_sent_nothing_carries_no_error(completion, manager):
    manager.dispatched = False
    manager.steps = [TurnError(Reason.UPSTREAM_AUTH, "our key was refused")]
    error = await failed(completion.Complete(UNARY))
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert detail(error, pb.Error) is None
    assert info(error)[1]["sent"] == "false"
