"""Test how each ending of a turn appears on its spans and in the metrics.

The table is the one of the docs.
"""

import asyncio
from pathlib import Path

import grpc
import pytest
from opentelemetry.trace import StatusCode

from service.gen.trunkline.v1 import session_pb2
from service.telemetry import calls, names
from service.wire.response_decoder import ResponseDecoder
from simulator.scripts import Fail, Hang, Refuse, Say, Script, Start
from tests.stack import MODEL, request
from tests.watching import PATIENCE_S

METHOD = "trunkline.v1.CompletionService/StreamCompletion"
PAGE = Path(__file__).parents[3] / "docs/observability.md"
MIDDLE = Script(Say("This is the", closed=False), Hang())

# ending: status of the call, error on the call's span, `error.type` of the attempt, ending of the turn, who
# cut off
TABLE = {
    "ok": ("OK", False, None, "OK", None),
    "error event": ("INTERNAL", True, "UPSTREAM_ERROR", "UPSTREAM_ERROR", None),
    "error event, rate limited": ("RESOURCE_EXHAUSTED", False, "RATE_LIMITED", "RATE_LIMITED", None),
    "exception": ("INTERNAL", True, "INTERNAL", "INTERNAL", None),
    "caller's cancel": ("CANCELLED", False, "CANCELLED", "CANCELLED", "caller"),
    "deadline": ("DEADLINE_EXCEEDED", True, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED", "deadline"),
    "CancelTurn": ("CANCELLED", False, "CANCELLED", "CANCELLED", "caller"),
    "drain": ("ABORTED", False, "INTERRUPTED", "INTERRUPTED", "drain"),
}


def bug(*_):
    raise LookupError("secret")


SCRIPTS = {
    "error event": Script(Say("Half of it", closed=False), Fail()),
    "error event, rate limited": Script(Start(), Fail(code="rate_limit_exceeded", status=429)),
    "caller's cancel": MIDDLE,
    "deadline": MIDDLE,
    "CancelTurn": MIDDLE,
    "drain": MIDDLE,
}


async def play(service, ending):
    """Run one turn that ends this way. Returns the status that the caller saw."""
    if ending in SCRIPTS:
        service.simulator.enqueue(SCRIPTS[ending])
    timeout = 3 if ending == "deadline" else PATIENCE_S
    wanted = request("Tell me. secret")
    call = service.completions.StreamCompletion(wanted, timeout=timeout)
    turn_id = ""
    try:
        async for event in call:
            turn_id = turn_id or event.start.turn_id
            if event.HasField("text_delta") and ending == "caller's cancel":
                call.cancel()
            if event.HasField("text_delta") and ending == "CancelTurn":
                named = session_pb2.CancelTurnRequest(session_id=wanted.session_id, turn_id=turn_id)
                await service.sessions.CancelTurn(named)
            if event.HasField("text_delta") and ending == "drain":
                await service.manager.drain(0)
    except (grpc.RpcError, asyncio.CancelledError):
        pass
    return (await call.code()).name


@pytest.mark.parametrize("ending", TABLE)
async def test_spans_metrics_and_status_agree_on_the_ending(service, seen, ending, monkeypatch):
    status, red, error_type, turn_ending, by = TABLE[ending]
    if ending == "exception":
        monkeypatch.setattr(ResponseDecoder, "feed", bug)
    if ending == "deadline":
        # The service may have read the call late, and its deadline is then later than the caller's.
        monkeypatch.setattr(calls, "DEADLINE_SLACK_S", PATIENCE_S)
    assert await play(service, ending) == status
    await seen.until(lambda: seen.named(METHOD))

    server, chat = seen.one(METHOD), seen.one(f"chat {MODEL}")
    assert server.attributes[names.RPC_STATUS] == status
    assert (server.status.status_code is StatusCode.ERROR) is red
    assert server.attributes[names.ENDING] == turn_ending
    assert chat.attributes.get(names.ERROR_TYPE) == error_type
    assert chat.status.status_code is (StatusCode.ERROR if error_type else StatusCode.UNSET)
    assert chat.events[-1].name == names.EVENT_TERMINAL
    assert chat.events[-1].attributes == {names.ENDING: turn_ending}

    assert seen.count(names.RPC_SERVER_CALL_DURATION, rpc__response__status_code=status) == 1
    failed = {"error__type": error_type} if error_type else {}
    model = "other" if error_type else MODEL  # a model that never answered has no label of its own
    assert seen.count(names.OPERATION_DURATION, gen_ai__request__model=model, **failed) == 1
    assert seen.count(names.TURNS, ending=turn_ending, transport="websocket") == 1
    assert seen.count(names.CANCELLED) == (0 if by is None else 1)
    assert seen.count(names.CANCELLED, who=by or "") == (0 if by is None else 1)
    assert not any("secret" in span.to_json() for span in seen.spans)


@pytest.mark.parametrize("ending", TABLE)
def test_the_table_of_the_docs_is_this_table(ending):
    status, red, error_type, turn_ending, _ = TABLE[ending]
    row = (
        f"| {ending} | `{status}` | {'error' if red else 'unset'} |"
        f" {f'error, `{error_type}`' if error_type else 'unset'} | `{turn_ending}` |"
    )
    assert row in PAGE.read_text(encoding="utf-8")


async def test_a_refused_turn_has_only_the_span_of_its_call(service, seen):
    """It is refused before it becomes a turn; the call's span has the reason."""
    with pytest.raises(grpc.RpcError):
        await service.turn(request("Hello.", session="no such session id"))
    await seen.until(lambda: seen.spans)
    assert [span.name for span in seen.spans] == [METHOD]
    server = seen.one(METHOD)
    assert server.attributes[names.RPC_STATUS] == "INVALID_ARGUMENT"
    assert server.attributes[names.REASON] == "INVALID_REQUEST"
    assert server.status.status_code is StatusCode.UNSET


async def test_a_refusal_of_the_model_is_no_failure(service, seen):
    service.simulator.enqueue(Script(Refuse("No.")))
    await service.done(request("Tell me."))
    await seen.until(lambda: seen.named(f"chat {MODEL}"))
    assert seen.one(f"chat {MODEL}").attributes[names.FINISH_REASONS] == ("stop",)


async def test_a_server_that_has_stopped_has_recorded_its_calls(service, seen):
    """Those that it cancelled, too: what ends after the exporters have closed is lost."""
    service.simulator.enqueue(MIDDLE)
    call = service.completions.StreamCompletion(request("Tell me."))
    while not (await call.read()).HasField("text_delta"):
        pass
    await service.server.stop(0)
    assert seen.one(METHOD).attributes[names.RPC_STATUS] == "CANCELLED"
    assert seen.one(f"chat {MODEL}").attributes[names.ERROR_TYPE] == "CANCELLED"
