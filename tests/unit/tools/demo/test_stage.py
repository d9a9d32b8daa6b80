"""What a demo claims of its turns, and how it ends."""

from types import SimpleNamespace
from typing import Any

import pytest

from tools.demo.processes import DemoError
from tools.demo.screen import Screen
from tools.demo.stage import Stage, perform

REPORT: Any = SimpleNamespace(
    transport="websocket", context="full", context_reason="upstream_changed", upstream="second"
)


def test_a_turn_is_claimed_with_its_upstream():
    stage = Stage(Screen(), "", simulated=True)
    stage.claim(REPORT, transport="websocket", context="full", upstream="second")
    with pytest.raises(DemoError, match=r"expected websocket, full at first, was .* at second"):
        stage.claim(REPORT, transport="websocket", context="full", upstream="first")


@pytest.mark.parametrize(
    ("error", "code"), [(None, 0), (DemoError("a turn differs"), 1), (KeyboardInterrupt(), 130)]
)
def test_a_demo_ends_with_a_code(error, code, capsys):
    async def play(_screen: Screen) -> None:
        if error is not None:
            raise error

    assert perform(play) == code
    assert ("a turn differs" in capsys.readouterr().out) is (code == 1)
