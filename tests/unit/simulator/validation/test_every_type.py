"""Every input item and every tool that the official client declares is accepted."""

from typing import Annotated, Any, get_args, get_origin

import pytest
from openai.types.responses import ResponseIncludable, ResponseInputItem, Tool
from pydantic import BaseModel, TypeAdapter, ValidationError

from simulator.validation import request

CALL: dict[str, Any] = {"call_id": "call_1"}
PATCH = {"type": "delete_file", "path": "p"}
EXEC = {"type": "exec", "command": ["ls"], "env": {}}
SHOT = {"type": "computer_screenshot", "image_url": "data:image/png;base64,aGk="}
FUNCTION = {
    "type": "function",
    "name": "f",
    "parameters": {"type": "object", "properties": {}},
    "strict": None,
}
DONE = {"outcome": {"type": "exit", "exit_code": 0}, "stdout": "1", "stderr": ""}
TEXT = {"type": "output_text", "text": "x", "annotations": []}
ITEMS: list[dict[str, Any]] = [
    {"role": "user", "content": "x"},
    {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "x"}]},
    {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [TEXT]},
    {"type": "file_search_call", "id": "fs", "queries": ["x"], "status": "completed"},
    {"type": "computer_call", "id": "cu", **CALL, "pending_safety_checks": [], "status": "completed"},
    {"type": "computer_call_output", **CALL, "output": SHOT},
    {"type": "web_search_call", "id": "ws", "action": {"type": "search"}, "status": "completed"},
    {"type": "function_call", **CALL, "name": "f", "arguments": "{}", "namespace": "n"},
    {"type": "function_call_output", **CALL, "output": "x"},
    {"type": "tool_search_call", "arguments": {"query": "x"}},
    {"type": "tool_search_output", "tools": [FUNCTION]},
    {"type": "additional_tools", "role": "developer", "tools": [FUNCTION]},
    {"type": "configuration_update", "reasoning": {"effort": "low"}},
    {"type": "reasoning", "id": "rs", "summary": []},
    {"type": "compaction", "encrypted_content": "x"},
    {"type": "image_generation_call", "id": "ig", "status": "completed", "result": "aGk="},
    {"type": "code_interpreter_call", "id": "ci", "container_id": "c", "status": "completed"},
    {"type": "local_shell_call", "id": "ls", **CALL, "status": "completed", "action": EXEC},
    {"type": "local_shell_call_output", "id": "call_1", "output": "x"},
    {"type": "shell_call", **CALL, "action": {"commands": ["ls"]}},
    {"type": "shell_call_output", **CALL, "output": [DONE]},
    {"type": "apply_patch_call", **CALL, "status": "completed", "operation": PATCH},
    {"type": "apply_patch_call_output", **CALL, "status": "failed"},
    {"type": "mcp_list_tools", "id": "ml", "server_label": "s", "tools": []},
    {"type": "mcp_approval_request", "id": "ma", "server_label": "s", "name": "f", "arguments": "{}"},
    {"type": "mcp_approval_response", "approval_request_id": "ma", "approve": True},
    {"type": "mcp_call", "id": "mc", "server_label": "s", "name": "f", "arguments": "{}"},
    {"type": "custom_tool_call_output", **CALL, "output": "x"},
    {"type": "custom_tool_call", **CALL, "name": "c", "input": "x"},
    {"type": "compaction_trigger"},
    {"type": "item_reference", "id": "msg_1"},
    {"type": "program", "id": "pr", **CALL, "code": "1", "fingerprint": "x"},
    {"type": "program_output", "id": "po", **CALL, "result": "1", "status": "completed"},
]  # fmt: skip
TOOLS: list[dict[str, Any]] = [
    FUNCTION,
    {"type": "file_search", "vector_store_ids": ["vs"]},
    {"type": "computer"},
    {"type": "computer_use_preview", "display_height": 1, "display_width": 1, "environment": "linux"},
    {"type": "web_search"},
    {"type": "web_search_2025_08_26", "filters": {"allowed_domains": ["a.example"]}},
    {"type": "mcp", "server_label": "s", "server_url": "https://s.example", "require_approval": "always"},
    {"type": "code_interpreter", "container": {"type": "auto"}},
    {"type": "programmatic_tool_calling"},
    {"type": "image_generation", "partial_images": 2},
    {"type": "local_shell"},
    {"type": "shell", "environment": {"type": "container_auto"}},
    {"type": "custom", "name": "c", "format": {"type": "grammar", "syntax": "lark", "definition": "start:"}},
    {"type": "namespace", "name": "n", "description": "d", "tools": [FUNCTION]},
    {"type": "tool_search", "execution": "client"},
    {"type": "web_search_preview"},
    {"type": "web_search_preview_2025_03_11"},
    {"type": "apply_patch"},
]


def members(union: Any) -> tuple[type[BaseModel], ...]:
    return get_args(get_args(union)[0] if get_origin(union) is Annotated else union)


def fits(declared: type[BaseModel], sample: dict[str, Any]) -> bool:
    try:
        TypeAdapter(declared).validate_python(sample, strict=True)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("transport", ["http", "websocket"])
@pytest.mark.parametrize(
    "item", ITEMS, ids=lambda item: " ".join((item.get("type", "easy"), item.get("role", "")))
)
def test_an_input_item(transport, item):
    request.check({"model": "m", "input": [item], "previous_response_id": "resp_1"}, transport)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool["type"])
def test_a_tool(tool):
    request.check({"model": "m", "input": "x", "tools": [tool]}, "http")


def test_what_a_response_may_include():
    request.check({"model": "m", "input": "x", "include": list(get_args(ResponseIncludable))}, "http")


@pytest.mark.parametrize(("union", "samples"), [(ResponseInputItem, ITEMS), (Tool, TOOLS)])
def test_the_samples_above_cover_every_declared_type(union, samples):
    missing = [m.__name__ for m in members(union) if not any(fits(m, sample) for sample in samples)]
    assert missing == []
