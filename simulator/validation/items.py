"""The shapes of input items and their content parts, one table per item type.

Only the shape is checked here; whether a tool output has its call is checked in `simulator.memory`.
"""

from simulator.validation.schema import (
    Check,
    anything,
    array,
    boolean,
    either,
    enum,
    nullable,
    record,
    string,
    tagged,
)

STATUS = nullable(enum("in_progress", "completed", "incomplete"))
DETAIL = nullable(enum("low", "high", "auto", "original"))
PHASE = nullable(enum("commentary", "final_answer"))
ID = nullable(string(filled=True))

INPUT_PARTS = {
    "input_text": record(
        {"type": anything, "text": string(), "prompt_cache_breakpoint": anything}, required=["text"]
    ),
    "input_image": record(
        {
            "type": anything,
            "image_url": nullable(string(filled=True)),
            "file_id": nullable(string(filled=True)),
            "detail": DETAIL,
            "prompt_cache_breakpoint": anything,
        }
    ),
    "input_file": record(
        {
            "type": anything,
            "file_id": nullable(string(filled=True)),
            "file_url": string(filled=True),
            "file_data": string(filled=True),
            "filename": string(filled=True),
            "detail": DETAIL,
            "prompt_cache_breakpoint": anything,
        }
    ),
}

OUTPUT_PARTS = {
    "output_text": record(
        {
            "type": anything,
            "text": string(),
            "annotations": array(anything),
            "logprobs": nullable(array(anything)),
        },
        required=["text"],
    ),
    "refusal": record({"type": anything, "refusal": string()}, required=["refusal"]),
}


def _content(parts: dict[str, Check]) -> Check:
    return either(string(), array(tagged(parts)), expected="one of an array of objects or string")


def _message(parts: dict[str, Check]) -> Check:
    fields = {
        "type": anything,
        "role": anything,
        "content": _content(parts),
        "id": ID,
        "status": STATUS,
        "phase": PHASE,
    }
    return record(fields, required=["content"])


_MESSAGE = tagged(
    {
        "assistant": _message(OUTPUT_PARTS),
        "system": _message(INPUT_PARTS),
        "developer": _message(INPUT_PARTS),
        "user": _message(INPUT_PARTS),
    },
    tag="role",
)

_FUNCTION_CALL = record(
    {
        "type": anything,
        "call_id": string(filled=True, longest=64),
        "name": string(filled=True, longest=128, pattern="[a-zA-Z0-9_-]+"),
        "arguments": string(),
        "id": ID,
        "status": STATUS,
        "namespace": nullable(string()),
        "caller": anything,
        "async": nullable(boolean),
    },
    required=["call_id", "name", "arguments"],
)

_FUNCTION_CALL_OUTPUT = record(
    {
        "type": anything,
        "call_id": string(filled=True, longest=64),
        "output": _content(INPUT_PARTS),
        "id": ID,
        "status": STATUS,
        "name": nullable(string()),
        "namespace": nullable(string()),
        "caller": anything,
    },
    required=["call_id", "output"],
)

_REASONING = record(
    {
        "type": anything,
        "id": ID,
        "summary": array(
            tagged({"summary_text": record({"type": anything, "text": string()}, required=["text"])}),
        ),
        "content": nullable(
            array(
                tagged({"reasoning_text": record({"type": anything, "text": string()}, required=["text"])})
            ),
        ),
        "encrypted_content": nullable(string()),
        "status": STATUS,
    },
    required=["summary"],
)

_TOOL_ITEMS: dict[str, tuple[str, ...]] = {
    "file_search_call": ("id", "queries", "status"),
    "web_search_call": ("id", "status"),
    "code_interpreter_call": ("id", "container_id", "status"),
    "image_generation_call": ("id", "status"),
    "mcp_list_tools": ("server_label", "tools"),
    "mcp_approval_request": ("server_label", "name", "arguments"),
    "mcp_approval_response": ("approval_request_id", "approve"),
    "mcp_call": ("server_label", "name", "arguments"),
    "custom_tool_call": ("call_id", "name", "input"),
    "custom_tool_call_output": ("call_id", "output"),
    "computer_call": ("call_id", "pending_safety_checks"),
    "computer_call_output": ("call_id", "output"),
    "local_shell_call": ("call_id", "action"),
    "local_shell_call_output": ("output",),
    "shell_call": ("call_id", "action"),
    "shell_call_output": ("call_id", "output"),
    "apply_patch_call": ("call_id", "operation"),
    "apply_patch_call_output": ("call_id", "status"),
    "tool_search_call": ("arguments",),
    "tool_search_output": ("tools",),
    "program": ("call_id", "code", "fingerprint"),
    "program_output": ("call_id", "result", "status"),
    "additional_tools": ("role", "tools"),
    "compaction": ("encrypted_content",),
    "compaction_trigger": (),
    "configuration_update": (),
}
"""The other item types, with the fields that each must have. What the fields contain is not checked."""

INPUT_ITEM = tagged(
    {
        "message": _MESSAGE,
        "function_call": _FUNCTION_CALL,
        "function_call_output": _FUNCTION_CALL_OUTPUT,
        "reasoning": _REASONING,
        "item_reference": record({"type": anything, "id": string(filled=True)}, required=["id"]),
        **{kind: record({}, required=fields, closed=False) for kind, fields in _TOOL_ITEMS.items()},
    },
    default="message",
)

INPUT = either(string(), array(INPUT_ITEM), expected="one of an array of objects or string")
