"""The items of the tools that the upstream runs itself: searches, code, images, MCP, programs; citations.

Each function returns the step of one item, with the events that the upstream sends while the tool runs.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.errors import Json
from simulator.scripts.steps import Item, Progress, Stream

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
"""A PNG of one pixel, in base64."""

CONTAINER = "cntr_simulated"
_BEGUN = {"status": "in_progress"}


def _stages(event: str, *names: str) -> tuple[Progress, ...]:
    return tuple(Progress(f"response.{event}.{name}") for name in names)


def web_search(query: str, sources: Sequence[str] = ()) -> Item:
    action: Json = {"type": "search", "query": query, "queries": [query]}
    if sources:
        action["sources"] = [{"type": "url", "url": url} for url in sources]
    return _web_search(action)


def open_page(url: str) -> Item:
    return _web_search({"type": "open_page", "url": url})


def find_in_page(url: str, pattern: str) -> Item:
    return _web_search({"type": "find_in_page", "url": url, "pattern": pattern})


def _web_search(action: Json) -> Item:
    events = _stages("web_search_call", "in_progress", "searching", "completed")
    return Item("web_search_call", "ws", {"status": "completed", "action": action}, _BEGUN, events)


def file_search(query: str, results: Sequence[Json] | None = None) -> Item:
    fields = {"status": "completed", "queries": [query], "results": results}
    events = _stages("file_search_call", "in_progress", "searching", "completed")
    return Item("file_search_call", "fs", fields, {**_BEGUN, "queries": [], "results": None}, events)


def code_interpreter(code: str, logs: str | None = None) -> Item:
    name = "code_interpreter_call"
    outputs = None if logs is None else [{"type": "logs", "logs": logs}]
    fields = {"status": "completed", "code": code, "container_id": CONTAINER, "outputs": outputs}
    events: tuple[Progress | Stream, ...] = (
        *_stages(name, "in_progress"),
        Stream("response.code_interpreter_call_code", "code", code),
        *_stages(name, "interpreting", "completed"),
    )
    return Item(name, "ci", fields, {**_BEGUN, "code": "", "outputs": None}, events)


def image_generation(prompt: str, partial_images: int = 1, image: str = PIXEL) -> Item:
    name = "image_generation_call"
    look = {"background": "opaque", "output_format": "png", "quality": "low", "size": "1024x1024"}
    partial = tuple(
        Progress(
            f"response.{name}.partial_image",
            {**look, "partial_image_index": number, "partial_image_b64": image},
        )
        for number in range(partial_images)
    )
    fields = {**look, "action": "generate", "status": "completed", "revised_prompt": prompt, "result": image}
    begun = {**_BEGUN, "result": None}
    return Item(
        name,
        "ig",
        fields,
        begun,
        (*_stages(name, "in_progress", "generating"), *partial, *_stages(name, "completed")),
    )


def mcp_list_tools(server: str, names: Sequence[str], error: str | None = None) -> Item:
    schema = {"type": "object", "properties": {"query": {"type": "string"}}}
    about = {"annotations": {"read_only": False}, "description": "The tide at an hour."}
    tools = [{**about, "input_schema": schema, "name": name} for name in names]
    fields: Json = {"server_label": server, "tools": [] if error else tools}
    fields |= {"error": error} if error else {}
    events = _stages("mcp_list_tools", "in_progress", "failed" if error else "completed")
    return Item("mcp_list_tools", "mcpl", fields, {"tools": []}, events)


def mcp_approval_request(server: str, name: str, arguments: str, **given: str) -> Item:
    """`given` may hold an `id`, so that a script can answer the request."""
    return Item(
        "mcp_approval_request",
        "mcpr",
        {"server_label": server, "name": name, "arguments": arguments, **given},
    )


def mcp_approval_response(request_id: str) -> Item:
    fields = {"approval_request_id": request_id, "approve": True, "reason": None}
    return Item("mcp_approval_response", "mcpa", fields)


def mcp_call(
    server: str,
    name: str,
    arguments: str,
    output: str,
    *,
    approved_by: str | None = None,
    failed: bool = False,
) -> Item:
    error = {"type": "mcp_tool_execution_error", "content": [{"type": "text", "text": output}]}
    fields = {
        "server_label": server,
        "name": name,
        "arguments": arguments,
        "approval_request_id": approved_by,
        "output": None if failed else output,
        "error": error if failed else None,
        "status": "failed" if failed else "completed",
    }
    events: tuple[Progress | Stream, ...] = (
        *_stages("mcp_call", "in_progress"),
        Stream("response.mcp_call_arguments", "arguments", arguments),
        *_stages("mcp_call", "failed" if failed else "completed"),
    )
    begun = {**_BEGUN, "arguments": "", "output": None, "error": None}
    return Item("mcp_call", "mcp", fields, begun, events)


def tool_search(goal: str, *, by_client: bool = False) -> Item:
    fields = {
        "arguments": {"goal": goal},
        "execution": "client" if by_client else "server",
        "status": "completed",
    }
    begun = {**_BEGUN, "arguments": {}}
    return Item(
        "tool_search_call", "tsc", fields | ({} if by_client else {"call_id": None}), begun, called=by_client
    )


def tool_search_output(tools: Sequence[Mapping[str, Any]]) -> Item:
    fields = {"call_id": None, "execution": "server", "status": "completed", "tools": list(tools)}
    return Item("tool_search_output", "tso", fields, _BEGUN)


def additional_tools(tools: Sequence[Mapping[str, Any]]) -> Item:
    return Item("additional_tools", "at", {"role": "developer", "tools": list(tools)})


def program(code: str, call_id: str) -> Item:
    return Item("program", "prog", {"call_id": call_id, "code": code, "fingerprint": "fp_simulated"})


def program_output(result: str, call_id: str) -> Item:
    return Item("program_output", "po", {"call_id": call_id, "result": result, "status": "completed"})


def compaction(sealed: str = "gAAAAsimulated") -> Item:
    fields = {"encrypted_content": sealed}
    return Item("compaction", "cmp", fields, {"encrypted_content": ""}, _stages("compaction", "compacting"))


def url_citation(text: str, cited: str, url: str, title: str) -> Json:
    """Return the citation of a page, for the first place where `cited` occurs in the text."""
    start = text.index(cited)
    return {
        "type": "url_citation",
        "url": url,
        "title": title,
        "start_index": start,
        "end_index": start + len(cited),
    }


def file_citation(file_id: str, filename: str, index: int) -> Json:
    return {"type": "file_citation", "file_id": file_id, "filename": filename, "index": index}


def container_citation(text: str, cited: str, file_id: str, filename: str) -> Json:
    start = text.index(cited)
    place = {"start_index": start, "end_index": start + len(cited)}
    return {
        "type": "container_file_citation",
        "container_id": CONTAINER,
        "file_id": file_id,
        "filename": filename,
        **place,
    }
