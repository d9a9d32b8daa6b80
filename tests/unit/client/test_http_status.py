import re
from pathlib import Path

import pytest

from trunkline import TrunklineError, Upstream, assistant
from trunkline.http_status import BY_REASON, http_status, pays_once

DOCS = Path(__file__).parents[3] / "docs/errors.md"
WITHOUT = {"SESSION_NOT_FOUND", "TURN_NOT_FOUND", "CANCELLED", "CONNECTION_LOST", "INTERRUPTED"}
"""No turn ends so, or nobody answered."""


@pytest.mark.parametrize(
    ("reason", "upstream", "status"),
    [
        ("RATE_LIMITED", None, 429),
        ("UPSTREAM_ERROR", Upstream(status=529), 529),
        ("UPSTREAM_ERROR", Upstream(code="x"), 502),
        ("UPSTREAM_ERROR", Upstream(status=1011), 502),  # the close code of a WebSocket
        ("UNAVAILABLE", None, None),
        ("CONNECTION_LOST", Upstream(status=1006), None),
    ],
)
def test_the_status_of_a_failure(reason, upstream, status):
    assert http_status(TrunklineError(reason, "", upstream=upstream)) == status


def test_each_documented_reason_has_a_status_or_has_none():
    table = DOCS.read_text(encoding="utf-8").split("## What a caller gets")[1].split("\n## ")[0]
    reasons = set(re.findall(r"^\| ([A-Z_]+) \|", table, re.MULTILINE))
    assert reasons == BY_REASON.keys() | WITHOUT


@pytest.mark.parametrize(
    ("reason", "sent", "partial", "once"),
    [
        ("CONNECT_FAILED", False, None, True),
        ("RATE_LIMITED", True, None, True),
        ("UPSTREAM_ERROR", True, None, True),
        ("UPSTREAM_ERROR", True, assistant("half"), False),
        ("CONNECTION_LOST", True, None, False),
        ("UNAVAILABLE", None, None, False),
        ("TIMEOUT", True, None, False),
    ],
)
def test_whether_another_try_pays_twice(reason, sent, partial, once):
    assert pays_once(TrunklineError(reason, "", sent=sent, partial=partial)) is once
