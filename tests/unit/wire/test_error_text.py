import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.wire.error_text import MAX_TEXT_CHARACTERS, in_log, one_line


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Limit for gpt-5 in organization org-4fJ2kd0QzXab on tokens", "in organization [id] on tokens"),
        ("in organization `org_01hx2c` service tier `on_demand`", "`[id]` service tier `on_demand`"),
        ("Project `proj_abcdEFGH` does not have access", "Project `[id]` does not have access"),
        ("The key key_9aXb2 is disabled", "The key [id] is disabled"),
        ("organization: 123e4567-e89b-12d3-a456-426614174000 has none", "organization: [id] has none"),
        ("Organization ID: 4815162342.", "Organization ID: [id]."),
        ("Subscription 8f0c51d2-77aa is paused", "Subscription [id] is paused"),
        ("Incorrect API key: sk-proj-ab12****yz given", "Incorrect API key: [key] given"),
        ("Incorrect Bearer abc.def given", "Incorrect [key] given"),
    ],
)
def test_keys_and_ids_of_owners_are_masked(said, shown):
    assert shown in one_line(said)


@pytest.mark.parametrize(
    "said",
    [
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "Limit 30000, Used 29000, Requested 45000.",
        "The user-agent is missing; the organization must be verified.",
        "The key of the object is 'max_output_tokens'.",
        "The model gpt-5-2025-08-07 does not exist.",
    ],
)
def test_other_words_stay(said):
    assert one_line(said) == said


def test_a_text_is_one_line_and_cut():
    assert one_line("a\n b\t c") == "a b c"
    assert one_line("m" * 1000) == "m" * (MAX_TEXT_CHARACTERS - 1) + "…"


@given(st.text())
def test_any_text_is_one_short_line(text):
    shown = one_line(text)
    assert len(shown.splitlines()) <= 1
    assert len(shown) <= MAX_TEXT_CHARACTERS


@pytest.mark.parametrize("piece", ["org-", "key_", "project ", "user-id is ", "sk-a ", "org-1", "key '"])
def test_a_text_made_to_be_searched_long_is_not(piece):
    began = time.process_time()
    one_line(piece * 2**18)
    assert time.process_time() - began < 0.5


def test_library_errors_are_logged_cut_and_without_keys():
    said = in_log(OSError("refused by 10.0.0.1 sk-secret " + "x" * 10_000))
    assert said.startswith("OSError: refused by 10.0.0.1 [key] x")
    assert len(said) < 600
