import json

import pytest

from service.domain.messages import Item, Role, TextPart
from service.domain.plan import ContextReason, Plan
from service.wire.effort import effort_of, effort_update, with_effort
from service.wire.request import PreparedRequest, encode

SETTINGS = b'{"model":"m","reasoning":{"effort":"high","summary":"auto"},"store":true}'


@pytest.mark.parametrize(
    ("reasoning", "effort"),
    [
        ({"effort": "low"}, "low"),
        ({}, ""),
        (None, ""),
        ("low", ""),
        ({"effort": 1}, ""),
        ({"effort": None}, ""),
    ],
)
def test_the_effort_of_settings(reasoning, effort):
    assert effort_of({"reasoning": reasoning}) == effort
    assert effort_of({}) == ""


@pytest.mark.parametrize(
    ("settings", "effort", "reasoning"),
    [
        (SETTINGS, "low", {"summary": "auto", "effort": "low"}),
        (SETTINGS, "", {"summary": "auto"}),
        (b'{"model":"m","reasoning":{"effort":"high"}}', "", None),
        (b'{"model":"m"}', "low", {"effort": "low"}),
        (b'{"model":"m","reasoning":null}', "", None),
    ],
)
def test_the_effort_is_replaced_and_nothing_else(settings, effort, reasoning):
    body = json.loads(with_effort(settings, effort))
    assert body.pop("reasoning", None) == reasoning
    assert body == {key: value for key, value in json.loads(settings).items() if key != "reasoning"}


@pytest.mark.parametrize("large", [False, True])
def test_an_update_is_written_before_what_is_new(large):
    question = Item(Role.USER, (TextPart("b"),))
    prepared = PreparedRequest((question,), SETTINGS, {}, store=True, large=large)
    plan = Plan((question,), "resp_1", ContextReason.CONTINUED, asked_effort="low", update="high")
    body = json.loads(encode(prepared, plan, websocket=True))
    assert body["reasoning"] == {"summary": "auto", "effort": "low"}
    assert body["previous_response_id"] == "resp_1"
    update, said = body["input"]
    assert update == {"type": "configuration_update", "reasoning": {"effort": "high"}}
    assert said["role"] == "user"
    assert effort_update("high").role is Role.USER
