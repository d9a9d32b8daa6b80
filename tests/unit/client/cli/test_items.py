import json

import pytest

from trunkline import ItemProgress, upstream_item
from trunkline.cli.items import DETAILS, citation_lines, item_line, item_name, progress_line


def line(**fields):
    return item_line(upstream_item(fields).upstream_item)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"type": "web_search_call", "action": {"type": "search", "query": "trunk"}}, "web search: trunk"),
        (
            {"type": "web_search_call", "action": {"type": "find", "url": "https://a", "pattern": "b"}},
            "web search: b https://a",
        ),
        ({"type": "file_search_call", "queries": ["a", "b"]}, "file search: a; b"),
        ({"type": "code_interpreter_call", "code": "a = 1\nprint(a)"}, "code interpreter: a = 1 print(a)"),
        (
            {"type": "image_generation_call", "result": "AAAA" * 9 + "AA==", "output_format": "png"},
            "image generation: 28 B png",
        ),
        (
            {"type": "mcp_approval_request", "server_label": "shop", "name": "buy", "arguments": "{}"},
            "mcp approval request: shop.buy {}",
        ),
        (
            {"type": "mcp_list_tools", "server_label": "shop", "tools": [{"name": "buy"}, {"name": "sell"}]},
            "mcp list tools: shop buy, sell",
        ),
        ({"type": "shell_call", "action": {"commands": ["ls", "pwd"]}}, "shell: ls; pwd"),
        ({"type": "local_shell_call", "action": {"command": ["ls", "-l"]}}, "local shell: ls -l"),
        (
            {"type": "apply_patch_call", "operation": {"type": "update_file", "path": "a.py"}},
            "apply patch: update_file a.py",
        ),
        (
            {"type": "computer_call", "actions": [{"type": "click"}, {"type": "wait"}]},
            "computer: click, wait",
        ),
        (
            {"type": "code_interpreter_call", "code": "a", "outputs": [{"logs": "1\n2\n"}, {"url": "b"}]},
            "code interpreter: a ← 1 2",
        ),
        (
            {"type": "mcp_call", "server_label": "shop", "name": "buy", "arguments": "{}", "output": "ok"},
            "mcp: shop.buy {} ← ok",
        ),
        (
            {
                "type": "mcp_call",
                "server_label": "shop",
                "name": "buy",
                "error": {"content": [{"text": "No."}]},
            },
            "mcp: shop.buy ← failed: No.",
        ),
        ({"type": "mcp_list_tools", "server_label": "a", "error": "424"}, "mcp list tools: a ← failed: 424"),
        ({"type": "image_generation_call", "error": {"message": "No."}}, "image generation ← failed: No."),
        ({"type": "web_search_call", "status": "failed"}, "web search ← failed"),
        (
            {"type": "custom_tool_call_output", "output": "x" * 300},
            "custom tool call output ← " + "x" * 200 + "…",
        ),
        ({"type": "compaction", "encrypted_content": "…"}, "compaction"),
        ({"type": "code_interpreter_call", "code": "x" * 300}, "code interpreter: " + "x" * 200 + "…"),
    ],
)
def test_an_item_in_one_line(item, expected):
    assert line(**item) == f"* {expected}"


def test_what_a_person_approves_is_shown_whole():
    request = {"type": "mcp_approval_request", "server_label": "shop", "name": "buy", "arguments": "x" * 300}
    assert item_line(upstream_item(request).upstream_item, whole=True).endswith("shop.buy " + "x" * 300)


@pytest.mark.parametrize("kind", DETAILS)
@pytest.mark.parametrize("odd", [{}, {"action": 1, "operation": [], "queries": "q", "actions": None}])
def test_odd_fields_are_left_out(kind, odd):
    assert item_name(kind) in line(type=kind, **odd)


def test_stages_are_shown_and_pieces_are_not():
    def shown(event_type, item_type="web_search_call"):
        return progress_line(ItemProgress(0, item_type, event_type, "{}"))

    assert shown("response.web_search_call.searching") == "* web search: searching …"
    assert shown("response.image_generation_call.partial_image", "") == "* item: partial image …"
    assert shown("response.code_interpreter_call_code.delta") == ""
    for stage in ("completed", "failed"):
        assert shown(f"response.web_search_call.{stage}") == "", "the item says it"


def test_each_source_is_listed_once():
    page = {"type": "url_citation", "url": "https://a", "title": "A"}
    file = {"type": "file_citation", "filename": "b.pdf", "file_id": "file_1"}
    annotations = [page, file, {**page, "start_index": 9}, json.loads('{"type": "new", "title": 1}')]
    assert list(citation_lines(annotations)) == ["[1] A https://a", "[2] b.pdf file_1"]
