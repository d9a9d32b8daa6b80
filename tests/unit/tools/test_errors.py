"""The page of errors is generated, and the check finds a stale one."""

import sys

import pytest

from service.domain.errors import Reason
from service.domain.failure_policy import POLICIES
from service.rpc.status import CODES
from tools import errors


def test_the_committed_page_is_up_to_date():
    assert errors.PAGE.read_text() == errors.render()


@pytest.mark.parametrize("reason", [reason for reason in Reason if POLICIES[reason].public is None])
def test_a_public_reason_has_its_row_with_advice(reason):
    policy = POLICIES[reason]
    row = next(line for line in errors.render().splitlines() if line.startswith(f"| {reason.value} |"))
    assert policy.meaning in row
    assert policy.caller in row
    assert policy.operator in row
    assert CODES[reason].name in row


def test_the_check_fails_for_a_stale_page(monkeypatch, tmp_path):
    page = tmp_path / "errors.md"
    monkeypatch.setattr(errors, "PAGE", page)
    monkeypatch.setattr(sys, "argv", ["errors", "--check"])
    with pytest.raises(SystemExit, match="stale"):
        errors.main()
    monkeypatch.setattr(sys, "argv", ["errors"])
    errors.main()
    monkeypatch.setattr(sys, "argv", ["errors", "--check"])
    errors.main()
