from typing import Any

import pytest

from simulator import pairing
from simulator.errors import ApiError
from simulator.memory import Context, Store

USER = {"role": "user", "content": "Hello."}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}
APPROVAL = {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "s", "name": "f", "arguments": ""}
PAIRS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (CALL, {"type": "function_call_output", "call_id": "c"}, "function call"),
    (
        {"type": "custom_tool_call", "call_id": "c"},
        {"type": "custom_tool_call_output", "call_id": "c"},
        "custom tool call",
    ),
    (
        {"type": "computer_call", "call_id": "c"},
        {"type": "computer_call_output", "call_id": "c"},
        "computer call",
    ),
    ({"type": "shell_call", "call_id": "c"}, {"type": "shell_call_output", "call_id": "c"}, "shell call"),
    (
        {"type": "local_shell_call", "call_id": "c"},
        {"type": "local_shell_call_output", "id": "c"},
        "local shell call",
    ),
    (
        {"type": "apply_patch_call", "call_id": "c"},
        {"type": "apply_patch_call_output", "call_id": "c"},
        "apply patch call",
    ),
    (
        {"type": "tool_search_call", "call_id": "c"},
        {"type": "tool_search_output", "call_id": "c"},
        "tool search call",
    ),
]


@pytest.mark.parametrize(("call", "output", "noun"), PAIRS, ids=[pair[2] for pair in PAIRS])
def test_a_call_and_its_output_belong_together(call, output, noun):
    Context().extended([call, output]).refuse_unanswered_calls()
    with pytest.raises(ApiError, match=f"No tool call found for {noun} output with call_id c\\."):
        Context().extended([output])
    with pytest.raises(ApiError, match=f"No tool output found for {noun} c\\."):
        Context().extended([call]).refuse_unanswered_calls()


def test_an_output_answers_a_call_of_its_own_type_only():
    with pytest.raises(ApiError, match="custom tool call output"):
        Context().extended([CALL, {"type": "custom_tool_call_output", "call_id": "c"}])


def test_an_approval_request_needs_its_answer():
    answer = {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}
    Context().extended([APPROVAL, answer]).refuse_unanswered_calls()
    with pytest.raises(ApiError, match="do not have an approval: mcpr_1"):
        Context().extended([APPROVAL]).refuse_unanswered_calls()
    with pytest.raises(ApiError, match="No approval request found"):
        Context().extended([answer])


@pytest.mark.parametrize(
    "call",
    [{**CALL, "status": "incomplete"}, {"type": "tool_search_call", "call_id": None, "execution": "server"}],
)
def test_a_call_that_needs_no_output(call):
    Context().extended([call]).refuse_unanswered_calls()


def check(*items, stored=False) -> None:
    store = Store()
    store.keep("resp_1", Context(), [THOUGHT, CALL], limit=1)
    pairing.check_reasoning(items, stored=stored, known=store.knows, thought_of=store.thought_of)


WITHOUT_ID = {name: value for name, value in CALL.items() if name != "id"}
UNKNOWN = {"type": "reasoning", "id": "rs_9", "summary": []}
THOUGHTLESS = (
    "Item 'fc_1' of type 'function_call' was provided without its required 'reasoning' item: 'rs_1'."
)
ALONE = "Item 'rs_1' of type 'reasoning' was provided without its required following item."


@pytest.mark.parametrize(
    ("items", "stored"),
    [
        ((USER, THOUGHT, CALL), True),
        ((USER, THOUGHT, CALL), False),
        ((USER, THOUGHT, WITHOUT_ID), False),
        ((THOUGHT, {**THOUGHT, "id": "rs_2"}, {"role": "assistant", "content": "x"}), False),
        (({**THOUGHT, "id": None}, USER), True),
        ((USER, WITHOUT_ID), True),
        ((), True),
    ],
)
def test_accepted(items, stored):
    check(*items, stored=stored)


@pytest.mark.parametrize(
    ("items", "stored", "message"),
    [
        ((USER, THOUGHT), False, ALONE),
        ((THOUGHT, USER), False, ALONE),
        ((THOUGHT, {"type": "function_call_output", "call_id": "c", "output": ""}), True, ALONE),
        ((THOUGHT, WITHOUT_ID), True, ALONE),
        ((USER, CALL), True, THOUGHTLESS),
        ((UNKNOWN, CALL), True, "Item with id 'rs_9' not found."),
    ],
)  # fmt: skip
def test_refused(items, stored, message):
    with pytest.raises(ApiError) as caught:
        check(*items, stored=stored)
    assert caught.value.message == message


def test_a_forgotten_response_needs_no_thought():
    store = Store()
    for number in (1, 2):
        store.keep(
            f"resp_{number}",
            Context(),
            [{**THOUGHT, "id": f"rs_{number}"}, {**CALL, "id": f"fc_{number}"}],
            1,
        )
    assert (store.thought_of("fc_1"), store.thought_of("fc_2")) == (None, "rs_2")
    assert not store.knows("rs_1")
