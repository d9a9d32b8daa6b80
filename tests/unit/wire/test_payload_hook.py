from dataclasses import replace
from typing import Any

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.messages import CompletionRequest, Message, Options, Role, TextPart, UpstreamItemPart
from service.wire.request import prepare

REQUEST = CompletionRequest(
    "s", "gpt-6", (Message(Role.USER, (TextPart("hi"),)),), "rules", options=Options(temperature=1.0)
)


def fails(hook):
    with pytest.raises(TurnError) as caught:
        prepare(REQUEST, hook)
    assert caught.value.reason is Reason.INTERNAL
    return caught.value.message


def test_it_sees_the_whole_request_without_key_and_id():
    seen: dict[str, object] = {}
    unhooked = prepare(REQUEST)
    assert prepare(REQUEST, seen.update) == unhooked
    assert seen == {
        "model": "gpt-6",
        "instructions": "rules",
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "temperature": 1.0,
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
    }


def test_it_changes_in_place_or_by_replacement():
    def in_place(body):
        body["metadata"] = {"team": "a"}
        del body["temperature"]

    def replaced(body):
        rest = {key: value for key, value in body.items() if key != "temperature"}
        return rest | {"metadata": {"team": "a"}}

    assert prepare(REQUEST, in_place) == prepare(REQUEST, replaced)
    assert b'"metadata":{"team":"a"}' in prepare(REQUEST, in_place).settings
    assert b"temperature" not in prepare(REQUEST, in_place).settings


def test_what_it_changes_is_part_of_the_comparison():
    before = prepare(REQUEST)
    after = prepare(REQUEST, lambda body: body | {"reasoning": {"effort": "low"}, "user": "u"})
    changed = {
        reason.value
        for reason in before.fingerprint
        if before.fingerprint[reason] != after.fingerprint[reason]
    }
    assert changed == {"reasoning_changed", "extra_body_changed"}


@pytest.mark.parametrize(("value", "stored"), [(True, True), (False, False), (None, True)])
def test_store_is_read_after_the_hook(value, stored):
    assert prepare(REQUEST, lambda body: body | {"store": value}).store is stored


def test_what_it_takes_back_is_the_upstreams_default():
    assert prepare(REQUEST, lambda body: body.__delitem__("store")).store is True


@pytest.mark.parametrize(
    "key", ["model", "input", "instructions", "include", "stream", "previous_response_id"]
)
def test_it_may_not_touch_what_the_service_owns(key):
    assert (
        fails(lambda body: body | {key: "other"})
        == "The payload hook changed a key that belongs to the service."
    )


def test_a_change_deep_inside_is_a_change():
    assert "belongs to the service" in fails(lambda body: body["input"].clear())


def test_a_key_of_the_service_may_not_go():
    assert "belongs to the service" in fails(lambda body: body.__delitem__("model"))


def test_only_the_type_of_its_exception_is_reported():
    def leaky(body):
        raise LookupError(f"secret {body}")

    assert fails(leaky) == "The payload hook raised LookupError."


def test_one_that_returns_something_else():
    assert fails(lambda _: 3) == "The payload hook returned int, not a dict."


@pytest.mark.parametrize(
    "value", [object(), {(): 3}, 10**5000, "\ud800"], ids=["object", "key", "huge", "half"]
)
def test_a_value_that_is_not_json(value):
    assert fails(lambda body: body | {"user": value}) == "The payload hook left a value that is not JSON."


def test_a_value_that_has_no_end():
    def endless(body):
        body["metadata"] = body

    assert fails(endless) == "The payload hook left a value that is not JSON."


ITEM = UpstreamItemPart("web_search_call", '{"type":"web_search_call","action":{"query":"q"}}')
SAID = TextPart("a", annotations_json='[{"type":"url_citation"}]', extra_json='{"new":{"a":1}}')


def with_items(*parts):
    return replace(REQUEST, messages=(Message(Role.ASSISTANT, parts),))


def test_it_sees_what_is_only_copied_as_plain_values():
    seen: dict[str, Any] = {}
    prepare(with_items(ITEM, SAID), seen.update)
    search, said = seen["input"]
    assert search == {"type": "web_search_call", "action": {"query": "q"}}
    assert said["content"][0]["annotations"] == [{"type": "url_citation"}]
    assert said["new"] == {"a": 1}


@pytest.mark.parametrize(
    "json",
    ['{"type":"t","a":[' + "[]," * 500_000 + "[]]}", '{"type":"t","a":' + "[" * 2000 + "]" * 2000 + "}"],
    ids=["too many", "too deep"],
)
def test_items_that_are_too_large_to_be_built_for_it_are_refused(json):
    request = with_items(UpstreamItemPart("t", json))
    assert prepare(request).items[0].parts[0] == UpstreamItemPart("t", json)
    with pytest.raises(TurnError) as caught:
        prepare(request, lambda body: body)
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert caught.value.violations[0].field == "messages"
