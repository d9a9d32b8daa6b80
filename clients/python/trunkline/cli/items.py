"""Describe items of hosted tools, their progress and citations for people, each in one line.

A field that is missing or of another type is left out: the upstream's items are open.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from trunkline.cli.words import size
from trunkline.events import ItemProgress
from trunkline.gen.trunkline.v1.message_pb2 import UpstreamItemPart
from trunkline.items import fields_of

LONGEST = 200

Fields = Mapping[str, Any]


def item_name(kind: str) -> str:
    """web_search_call → "web search"."""
    return kind.removesuffix("_call").replace("_", " ") or "item"


def item_line(item: UpstreamItemPart, *, whole: bool = False) -> str:
    """What the item did, and what came of it. Long texts are cut unless `whole`."""
    describe, fields = DETAILS.get(item.type), fields_of(item.json)
    detail = _in_line(describe(fields) if describe else "", whole=whole)
    outcome = _in_line(_outcome(fields), whole=whole)
    line = f"* {item_name(item.type)}" + (f": {detail}" if detail else "")
    return f"{line} ← {outcome}" if outcome else line


def _in_line(text: str, *, whole: bool) -> str:
    line = " ".join(text.split())
    return line if whole or len(line) <= LONGEST else line[:LONGEST] + "…"


def _outcome(fields: Fields) -> str:
    """What a call returned, or why it failed."""
    said = "\n".join(_all(fields, "error", "content", of="text"))
    error = said or _at(fields, "error") or _at(fields, "error", "message")
    if error or _value(fields, "error") or _at(fields, "status") == "failed":
        return f"failed: {error}" if error else "failed"
    return _at(fields, "output") or "\n".join(_all(fields, "outputs", of="logs"))


def progress_line(event: ItemProgress) -> str:
    """The stage that an item has reached. Empty for a piece of its content, and where `item_line` says it."""
    stage = event.event_type.rpartition(".")[2]
    if stage in ("delta", "done", "added", "in_progress", "completed", "failed"):
        return ""
    return f"* {item_name(event.item_type)}: {stage.replace('_', ' ')} …"


def citation_lines(annotations: Sequence[Fields]) -> Iterator[str]:
    """What the text cites, each source once, in order."""
    sources = dict.fromkeys(filter(None, map(_source, annotations)))
    for number, source in enumerate(sources, 1):
        yield f"[{number}] {source}"


def _source(annotation: Fields) -> str:
    words = (_at(annotation, key) for key in ("title", "filename", "url", "file_id"))
    return " ".join(dict.fromkeys(word for word in words if word))


def _value(fields: Any, *path: str) -> Any:
    for key in path:
        fields = fields.get(key) if isinstance(fields, Mapping) else None
    return fields


def _at(fields: Any, *path: str) -> str:
    """The text at this path. Empty where there is none."""
    value = _value(fields, *path)
    return value if isinstance(value, str) else ""


def _all(fields: Any, *path: str, of: str = "") -> Iterator[str]:
    """The texts of the list at this path; with `of`, those that its objects have there."""
    value = _value(fields, *path)
    for one in value if isinstance(value, list) else ():
        if text := _at(one, of) if of else _at(one):
            yield text


def _web_search(fields: Fields) -> str:
    words = (_at(fields, "action", key) for key in ("query", "pattern", "url"))
    return " ".join(word for word in words if word)


def _image(fields: Fields) -> str:
    """Base64 has four characters for three bytes."""
    data = _at(fields, "result")
    image = (
        f"{size(len(data.rstrip('=')) * 3 // 4)} {_at(fields, 'output_format') or 'image'}" if data else ""
    )
    return " ".join(word for word in (image, _at(fields, "revised_prompt")) if word)


def tool_name(fields: Fields) -> str:
    """Of an MCP server's tool: "shop.buy"."""
    return " ".join(f"{_at(fields, 'server_label')}.{_at(fields, 'name')}".split())


def _mcp(fields: Fields) -> str:
    return f"{tool_name(fields)} {_at(fields, 'arguments')}"


def _mcp_tools(fields: Fields) -> str:
    return f"{_at(fields, 'server_label')} {', '.join(_all(fields, 'tools', of='name'))}"


DETAILS: Mapping[str, Callable[[Fields], str]] = {
    "web_search_call": _web_search,
    "file_search_call": lambda fields: "; ".join(_all(fields, "queries")),
    "code_interpreter_call": lambda fields: _at(fields, "code"),
    "image_generation_call": _image,
    "mcp_call": _mcp,
    "mcp_approval_request": _mcp,
    "mcp_list_tools": _mcp_tools,
    "shell_call": lambda fields: "; ".join(_all(fields, "action", "commands")),
    "local_shell_call": lambda fields: " ".join(_all(fields, "action", "command")),
    "apply_patch_call": lambda fields: (
        f"{_at(fields, 'operation', 'type')} {_at(fields, 'operation', 'path')}"
    ),
    "computer_call": lambda fields: ", ".join(_all(fields, "actions", of="type")),
}
