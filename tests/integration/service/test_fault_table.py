"""Every known fault of the original integration has a regression test that names it."""

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
FAULTS = {
    "counts messages instead of comparing content": "counts_messages_instead_of_comparing_content",
    "full context sent together with previous_response_id": "full_context_sent_together",
    "new user messages dropped in incremental mode": "new_user_messages_dropped_in_incremental_mode",
    "parent id taken from a warm-up": "parent_id_taken_from_whatever_completed_last_a_warm_up",
    "parent id taken from another turn": "parent_id_taken_from_whatever_completed_last_another_turn",
    "no lock per session": "no_lock_per_session",
    "response.incomplete hangs": "response_incomplete_hangs",
    "flat and nested error frames read wrongly": "error_frames_read_wrongly",
    "abort leaves the socket in use": "abort_leaves_the_socket_in_use",
    "the turn after an abort reads the old answer": "abort_next_turn_reads_the_old_answer",
    "tools nested Chat-style": "tools_nested_chat_style",
    "images source-style": "images_source_style",
    "reasoning items and encrypted_content lost": "reasoning_items_and_encrypted_content_lost",
    "cached tokens always 0": "cached_tokens_always_0",
    "content index always 0": "content_index_always_0",
    "malformed tool arguments become {}": "malformed_tool_arguments_become_empty",
    "max tokens 0 dropped": "max_tokens_0_dropped",
    "tool-result images dropped": "tool_result_images_dropped",
    "no timeouts": "no_timeouts",
    "no age rotation": "no_age_rotation",
    "no TTL": "no_ttl",
    "unbounded registry": "unbounded_registry",
    "no cool-down after a connect failure": "no_cool_down_after_a_connect_failure",
    "warm-up pasted as a second event loop": "warm_up_pasted_as_a_second_event_loop",
}
PREFIX = "test_original_fault_"


@cache
def named() -> dict[str, list[str]]:
    """Each regression test that names a fault, by the folder that it stands in."""
    found: dict[str, list[str]] = {}
    for path in TESTS.rglob("test_*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [
            node.name.removeprefix(PREFIX)
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(PREFIX)
        ]
        found.setdefault(path.relative_to(TESTS).parts[0], []).extend(names)
    return found


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fault_has_a_test_on_real_wires(fault):
    assert any(FAULTS[fault] in name for name in named()["integration"])


@pytest.mark.parametrize("layer", ["domain", "wire", "sessions"])
def test_the_layers_name_their_own_faults_too(layer):
    """What can be shown without a socket is shown without one."""
    assert any(
        path.read_text(encoding="utf-8").count(PREFIX) for path in (TESTS / "unit" / layer).glob("*.py")
    )
