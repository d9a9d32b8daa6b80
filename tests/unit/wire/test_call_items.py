"""Calls, and items that have no part of their own, tested through the decoder."""

import json

import pytest

from service.domain.events import ItemProgress, StopReason, ToolCallDelta
from service.domain.messages import ToolCallPart, ToolKind, UpstreamItemPart
from service.wire.call_items import anonymous
from service.wire.response_decoder import ResponseDecoder
from tests.unit.wire.server_events import added, call, created, done, ended, fed, frame, message


@pytest.fixture
def decoder():
    decoder = ResponseDecoder(continuing=False)
    fed(decoder, created())
    return decoder


def custom(text="", **fields):
    base = {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "sql", "input": text}
    return base | fields


def stop_reason(*output):
    return fed(ResponseDecoder(continuing=False), created(), ended(output=output))[-1].stop_reason


# Calls of custom tools


def test_a_call_of_a_custom_tool_grows_by_its_input(decoder):
    where = {"item_id": "ctc_1", "output_index": 0}
    events = fed(
        decoder,
        added(0, custom()),
        frame("response.custom_tool_call_input.delta", delta="select", **where),
        frame("response.custom_tool_call_input.done", input="select 1", **where),
        done(0, custom("select 1", namespace="db")),
    )
    assert [event.delta for event in events] == ["", "select", " 1"]
    assert events[0] == ToolCallDelta(0, "", "call_1", "sql")
    end = fed(decoder, ended())[-1]
    call = ToolCallPart("call_1", "sql", "select 1", ToolKind.CUSTOM, "ctc_1", '{"namespace":"db"}')
    assert (end.message.parts, end.stop_reason) == ((call,), StopReason.TOOL_USE)


def test_a_call_that_the_answer_itself_answers_waits_for_nobody():
    output = {"type": "custom_tool_call_output", "id": "ctco_1", "call_id": "call_1", "output": "1"}
    assert stop_reason(custom(), output) is StopReason.STOP
    assert stop_reason(custom(), output, custom(id="ctc_2", call_id="call_2")) is StopReason.TOOL_USE
    assert stop_reason(custom(), {**output, "call_id": "call_2"}) is StopReason.TOOL_USE


def test_a_closed_call_is_neither_extended_nor_renamed(decoder):
    fed(decoder, done(0, call("{}", status="completed")))
    later = call("{} and more", name="other", status="incomplete")
    end = fed(decoder, ended(output=[later]))[-1]
    assert end.message.parts == (ToolCallPart("call_1", "look", "{}", item_id="fc_1"),)


def test_a_closed_call_without_arguments_gets_them(decoder):
    fed(decoder, done(0, call("")))
    assert fed(decoder, ended(output=[call("{}")]))[0] == ToolCallDelta(0, "{}", "call_1", "look")


def test_a_call_may_be_complete_at_last(decoder):
    fed(decoder, done(0, call("{}", status="in_progress")))
    end = fed(decoder, ended("response.incomplete", output=[call("{}", status="completed")]))[-1]
    assert [part.arguments for part in end.message.parts] == ["{}"]


# Items without a part of their own


def test_an_item_is_kept_as_it_is_with_its_progress(decoder):
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "tides"}}
    searching = frame("response.web_search_call.searching", item_id="ws_1", output_index=0)
    events = fed(decoder, added(0, search | {"status": "in_progress"}), searching)
    assert events == [ItemProgress(0, "web_search_call", "response.web_search_call.searching", searching)]
    assert decoder.partial() is None
    fed(decoder, done(0, search))
    part = UpstreamItemPart("web_search_call", json.dumps(search), "ws_1")
    assert decoder.partial().parts == (part,)
    assert fed(decoder, ended(output=[search | {"status": "older"}]))[-1].message.parts == (part,)


@pytest.mark.parametrize("output", [[], [{"type": "mcp_call", "id": "m", "output": "x"}]])
def test_an_item_that_never_ended_has_its_last_state(decoder, output):
    begun = {"type": "mcp_call", "id": "m"}
    (part,) = fed(decoder, added(0, begun), ended(output=output))[-1].message.parts
    assert json.loads(part.json) == (output[0] if output else begun)


def test_an_item_of_an_answer_that_was_cut_is_left_out(decoder):
    fed(decoder, added(0, {"type": "mcp_call", "id": "m"}))
    assert fed(decoder, ended("response.incomplete"))[-1].message.parts == ()


def test_a_message_without_any_known_content_is_kept_as_it_is(decoder):
    hologram = message() | {"content": [{"type": "hologram", "light": 1}]}
    end = fed(decoder, added(0, message()), done(0, hologram), ended(output=[hologram]))[-1]
    assert end.message.parts == (UpstreamItemPart("message", json.dumps(hologram), "msg_1"),)


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("code_interpreter_call_code.delta", {"item_id": "x_1", "output_index": 0, "delta": "1+1"}),
        ("code_interpreter_call.interpreting", {"item_id": "x_1"}),
        ("code_interpreter_call_code.done", {}),
    ],
)
def test_progress_finds_its_item(decoder, kind, fields):
    fed(decoder, added(0, {"type": "code_interpreter_call", "id": "x_1"}))
    (progress,) = fed(decoder, frame(f"response.{kind}", **fields))
    assert (progress.content_index, progress.item_type, progress.event_type) == (
        0,
        "code_interpreter_call",
        f"response.{kind}",
    )


def test_progress_of_nothing_is_counted(decoder):
    assert fed(decoder, frame("response.mcp_call.failed", item_id="m", output_index=3)) == []
    assert decoder.ignored == {"response.mcp_call.failed": 1}


def test_a_state_is_compared_without_id_and_status():
    assert anonymous('{"id":"a","status":"b","x":1}') == anonymous('{"x":1,"id":"c"}') == '{"x":1}'


# What the model waits for

APPROVAL = {"type": "mcp_approval_request", "id": "apr_1", "name": "pay"}
SHELL = {"type": "shell_call", "id": "sh_1", "call_id": "c1", "action": {"commands": ["ls"]}}
SEARCH = {"type": "tool_search_call", "id": "ts_1", "call_id": None, "execution": "client"}


@pytest.mark.parametrize(
    "output",
    [
        [APPROVAL],
        [{"type": "mcp_approval_request", "name": "pay"}],
        [message("Shall I?"), APPROVAL],
        [SHELL],
        [SHELL | {"environment": {"type": "local"}}],
        [SHELL | {"environment": None}],
        [SEARCH],
        [{"type": "computer_call", "id": "cu_1", "call_id": "c1", "status": "completed"}],
        [{"type": "local_shell_call", "id": "ls_1", "call_id": "c1"}],
        [{"type": "apply_patch_call", "id": "ap_1", "call_id": "c1"}],
        [{"type": "drone_call", "id": "d_1", "call_id": "c1"}],
        [call("{}"), APPROVAL],
    ],
)
def test_what_waits_for_the_caller(output):
    assert stop_reason(*output) is StopReason.ACTION_REQUIRED


@pytest.mark.parametrize(
    "output",
    [
        [],
        [{"type": "web_search_call", "id": "ws_1"}],
        [{"type": "drone_call", "id": "d_1"}],
        [SHELL, {"type": "shell_call_output", "id": "o", "call_id": "c1"}],
        [
            {"type": "local_shell_call", "id": "l", "call_id": "c1"},
            {"type": "local_shell_call_output", "id": "c1"},
        ],
        [SHELL | {"environment": {"type": "container_reference", "container_id": "c"}}],
        [SEARCH | {"execution": "server"}],
        [APPROVAL, {"type": "mcp_call", "id": "m", "approval_request_id": "apr_1"}],
        [APPROVAL, {"type": "mcp_approval_response", "id": "r", "approval_request_id": "apr_1"}],
    ],
)
def test_what_does_not_wait(output):
    assert stop_reason(*output) is StopReason.STOP


def test_a_call_waits_for_its_result_only():
    assert stop_reason(call("{}"), {"type": "web_search_call", "id": "w"}) is StopReason.TOOL_USE
