"""A change of the reasoning effort goes as an item, for models that take it, and keeps the prompt cached."""

import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from simulator.scripts import Fail, Script
from tests.integration.service.talk import Talk, context
from tests.stack import MODEL

TAKES = {"EFFORT_UPDATES": "simulated-*"}


def effort(name: str) -> dict[str, object]:
    return {"reasoning": {"effort": name}} if name else {}


def sent(talk: Talk) -> tuple[str | None, list[str]]:
    """What the latest request asks for, and the types of its items."""
    return (talk.received.body.get("reasoning") or {}).get("effort"), talk.received.items


async def test_a_change_goes_before_what_is_new_and_counts_on(start):
    talk = Talk(await start(TAKES))
    assert MODEL.startswith("simulated-")
    seen = []
    for name in ("low", "high", "high", "low"):
        done = await talk.say(f"As {name} as can be.", options=effort(name))
        seen.append((context(done)[0], *sent(talk), done.usage.cached_input_tokens > 0))
    assert seen == [
        (False, "low", ["message"], False),
        (True, "low", ["configuration_update", "message"], True),
        (True, "low", ["message"], True),
        (True, "low", ["configuration_update", "message"], True),
    ]
    assert talk.received.body["input"][0]["reasoning"] == {"effort": "low"}


async def test_other_models_get_it_as_a_setting(start):
    talk = Talk(await start({"EFFORT_UPDATES": "another"}))
    await talk.say("Hello.", options=effort("low"))
    done = await talk.say("And again.", options=effort("high"))
    assert (context(done), sent(talk)) == ((True, "continued"), ("high", ["message"]))
    assert done.usage.cached_input_tokens == 0


async def test_back_to_the_model_s_own_effort_goes_in_full(start):
    talk = Talk(await start(TAKES))
    await talk.say("Hello.", options=effort("low"))
    await talk.say("And again.", options=effort("high"))
    assert context(await talk.say("And now?")) == (False, "reasoning_changed")
    assert sent(talk)[0] is None


async def test_a_refused_update_is_left_out_and_not_tried_again(start):
    talk = Talk(await start(TAKES))
    await talk.say("Hello.", options=effort("low"))
    text = "The 'configuration_update' item type is not supported with this model."
    talk.replica.simulator.enqueue(Script(Fail(text, "invalid_value", 400, "invalid_request_error")))
    done = await talk.say("And again.", options=effort("high"))
    assert (context(done), done.report.attempts) == ((False, "chain_lost"), 2)
    assert sent(talk) == ("high", ["message"] * 3)
    done = await talk.say("And now?", options=effort("low"))
    assert (context(done), sent(talk)) == ((True, "continued"), ("low", ["message"]))


@pytest.mark.parametrize("there", [TAKES, {}], ids=["takes updates", "does not"])
async def test_the_token_says_what_counts(start, there):
    key = {"CONTINUATION_KEY": "a2V5IG9mIHRoZSB0b2tlbnMgb2YgYWxsIHJlcGxpY2E="}
    one = await start(TAKES | key)
    other = await start(there | key | {"UPSTREAM_URL": one.simulator.url})
    talk = Talk(one)
    await talk.say("Hello.", options={"store": True, **effort("low")})
    done: pb.Done = await talk.say("And again.", options={"store": True, **effort("high")})
    for name, asked in (("high", "low"), ("low", "low")):
        request = talk.request(continuation=done.continuation, options={"store": True, **effort(name)})
        request.session_id = f"to-{name}"
        request.messages.add(role=1).parts.add().text.text = "And there?"
        report = (await other.done(request)).report
        whole = name == "low" and not there
        assert report.context == (pb.CONTEXT_FULL if whole else pb.CONTEXT_INCREMENTAL)
        assert sent(talk)[0] == asked
        assert ("configuration_update" in sent(talk)[1]) is (name == "low" and not whole)
