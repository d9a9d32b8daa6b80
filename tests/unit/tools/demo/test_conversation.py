from types import SimpleNamespace
from typing import Any, cast

import pytest

from tools.demo.conversation import Demo, item_types
from tools.demo.processes import DemoError
from tools.demo.screen import Screen
from trunkline import Message, text, upstream_item, user

REPORT: Any = SimpleNamespace(transport="sse", context="full", context_reason="sse", upstream="")


@pytest.fixture
def demo():
    demo = Demo(Screen(), cast(Any, None), cast(Any, SimpleNamespace(upstream="", simulated=True)), "m")
    demo.number = 3
    return demo


def test_a_turn_as_expected_passes(demo):
    demo.claim(REPORT, transport="sse", context="full")
    demo.claim(REPORT, transport="sse", context="full", why="sse")


@pytest.mark.parametrize(
    "expected",
    [
        {"transport": "websocket", "context": "full"},
        {"transport": "sse", "context": "incremental"},
        {"transport": "sse", "context": "full", "why": "first_turn"},
    ],
)
def test_a_different_turn_ends_the_demo(demo, expected):
    with pytest.raises(DemoError, match=r"turn 3: expected .*, was sse, full \(sse\)"):
        demo.claim(REPORT, **expected)


def test_a_history_is_compared_by_the_types_of_its_items():
    said = Message(parts=[upstream_item({"type": "web_search_call", "id": "ws_1"}), text("At six.")])
    assert item_types([user("When?"), said]) == ["message", "web_search_call", "message"]


@pytest.mark.parametrize(("simulated", "asked"), [(True, "Hi. sim:echo"), (False, "Hi.")])
def test_only_the_simulated_model_gets_a_directive(demo, simulated, asked):
    demo.simulated = simulated
    assert demo.ask("Hi.", "sim:echo").split() == asked.split()
