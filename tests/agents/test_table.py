"""The table that `make agents` prints."""

from tests.agents.table import SCENARIOS, table


def test_a_row_for_each_framework_and_a_column_for_each_scenario():
    cells = [
        (("pi", "stream", 3, 2), True),
        (("ai-sdk", "cancel", 2, 1), True),
        (("pi", "cancel", 2, 1), False),
    ]
    head, _, ai_sdk, pi = table(cells)
    assert head.count("|") == len(SCENARIOS) + 2
    assert ai_sdk == "| ai-sdk | - | - | - | - | 1 of 2 | - | - |"
    assert pi == "| pi | 2 of 3 | - | - | - | FAILED | - | - |"
