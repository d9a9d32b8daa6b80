"""The operator's payload hook: sees each full request once, may change what the service does not own."""

import copy
import json
from typing import Any

import grpc
import pytest

from simulator.scripts import Fail, Script
from tests.integration.service.talk import LOOKUP, SSE, Talk, context, failed
from tests.stack import request


class Hook:
    """Keeps what it saw, and does to it what the test wants."""

    def __init__(self, change=lambda body: None) -> None:
        self.seen: list[dict[str, Any]] = []
        self.change = change

    def __call__(self, body):
        self.seen.append(copy.deepcopy(body))
        return self.change(body)


async def test_it_sees_the_full_request_of_every_turn_once(start):
    hook = Hook()
    replica = await start(hook=hook)
    talk = Talk(replica, instructions="Be brief.", tools=[LOOKUP], options={"temperature": 0.5})
    await talk.say("Hello.")
    await talk.say("And again.")
    assert [len(body["input"]) for body in hook.seen] == [1, 3]
    assert talk.received.new_items == 1
    last = hook.seen[-1]
    assert (last["model"], last["instructions"], last["temperature"]) == ("simulated-1", "Be brief.", 0.5)
    assert last["input"][0]["content"] == [{"type": "input_text", "text": "Hello."}]


async def test_it_sees_a_turn_once_however_often_it_is_sent(start):
    hook = Hook()
    replica = await start(hook=hook)
    replica.simulator.enqueue(Script(Fail()), Script())
    done = await replica.done(request("Hello."))
    assert (done.report.attempts, len(hook.seen)) == (2, 1)


async def test_it_sees_no_key_and_no_id(start):
    hook = Hook()
    replica = await start({"AUTH_TOKENS": "secret-token=tenant-name"}, hook=hook)
    metadata = (("authorization", "Bearer secret-token"),)
    first = await replica.done(
        request("Hello.", session="the-session", request_id="the-request"), metadata=metadata
    )
    await replica.done(
        request("Hello.", first.message, "And again.", session="the-session"), metadata=metadata
    )
    shown = json.dumps(hook.seen)
    for hidden in (
        "secret-token",
        "tenant-name",
        "the-session",
        "the-request",
        first.report.response_id,
        '"k"',
    ):
        assert hidden not in shown
    assert "previous_response_id" not in shown


@pytest.mark.parametrize("options", [{}, SSE], ids=["websocket", "sse"])
async def test_what_it_changes_reaches_the_upstream(start, options):
    replica = await start(hook=Hook(lambda body: body.update(metadata={"team": "blue"}, top_p=0.5)))
    talk = Talk(replica, options=options)
    await talk.say("Hello.")
    assert talk.received.body["metadata"] == {"team": "blue"}
    assert talk.received.body["top_p"] == 0.5


async def test_what_it_returns_takes_the_place_of_the_request(start):
    replica = await start(hook=Hook(lambda body: {**body, "service_tier": "flex"}))
    talk = Talk(replica)
    await talk.say("Hello.")
    assert talk.received.body["service_tier"] == "flex"


async def test_what_it_changes_is_part_of_the_comparison(start):
    """The same change keeps the chain; another one breaks it, by the name of what it touched."""
    hook = Hook(lambda body: body.update(truncation="auto"))
    talk = Talk(await start(hook=hook))
    await talk.say("Hello.")
    assert context(await talk.say("And again.")) == (True, "continued")
    hook.change = lambda body: body.update(truncation="disabled")
    assert context(await talk.say("And now?")) == (False, "truncation_changed")


async def test_bytes_saved_counts_what_it_added(start):
    talk = Talk(await start(hook=Hook(lambda body: body.update(metadata={"team": "b" * 100}))))
    await talk.say("Hello.")
    done = await talk.say("And again.")
    fresh = Talk(talk.replica, "fresh")
    fresh.messages = talk.messages[:-1]
    full = await fresh.say()
    assert done.report.bytes_saved == full.report.bytes_sent - done.report.bytes_sent


def explode(body):
    raise RuntimeError("secret of the operator")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (explode, "payload hook raised RuntimeError"),
        (lambda body: body.update(model="another"), "changed a key that belongs to the service"),
        (
            lambda body: body.update(previous_response_id="resp_1"),
            "changed a key that belongs to the service",
        ),
        (lambda body: body["input"].clear(), "changed a key that belongs to the service"),
        (lambda body: body.update(top_p=object()), "not JSON"),
        (lambda body: "a string", "returned str"),
    ],
    ids=["raises", "model", "id", "input", "object", "string"],
)
async def test_one_that_misbehaves_fails_the_turn_clearly_and_only_the_turn(start, change, says):
    hook = Hook(change)
    replica = await start(hook=hook)
    failure = await failed(replica.turn(request("Hello.")))
    assert failure.code is grpc.StatusCode.INTERNAL
    assert says in failure.message
    assert "secret of the operator" not in failure.message
    assert failure.sent == "false"
    assert replica.simulator.stats.requests_total == replica.simulator.stats.handshakes == 0
    hook.change = lambda body: None
    assert await replica.done(request("Hello."))


async def test_a_change_that_the_upstream_refuses_is_reported_as_such(start):
    replica = await start(hook=Hook(lambda body: body.update(made_up=True)))
    failure = await failed(replica.turn(request("Hello.")))
    assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "made_up" in failure.message


async def test_it_is_asked_after_the_request_was_found_good(start):
    hook = Hook()
    replica = await start(hook=hook)
    failure = await failed(replica.turn(request(model="")))
    assert "model" in failure.fields
    assert hook.seen == []
