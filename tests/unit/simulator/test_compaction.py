import asyncio
from functools import partial
from typing import Any

import openai
import pytest

from simulator.compaction import compacted
from simulator.ids import Ids
from simulator.memory import Context
from simulator.scripts.faults import Page
from simulator.scripts.steps import Fail, Gate, Say, Script, Wait

SAID: Any = {"role": "user", "content": "Hello."}
ANSWER: Any = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi."}]}


def test_the_users_messages_stay_and_all_else_is_sealed():
    answer = compacted(Context().extended([SAID, ANSWER, SAID]), Ids(""), 1000)
    first, second, sealed = answer["output"]
    assert first["content"] == second["content"] == [{"type": "input_text", "text": "Hello."}]
    assert sealed.keys() == {"id", "type", "encrypted_content"}
    assert answer["usage"]["input_tokens"] > 0


def test_another_conversation_has_another_seal():
    one, other = (compacted(Context().extended(items), Ids(""), 1) for items in ([SAID], [SAID, ANSWER]))
    assert one["output"][-1]["encrypted_content"] != other["output"][-1]["encrypted_content"]


async def test_the_official_client_begins_a_new_chain_with_it(sim):
    async with openai.AsyncOpenAI(api_key="k", base_url=sim.url, max_retries=0) as client:
        first = await client.responses.create(model="m", input="Hello.")
        window = await client.responses.compact(model="m", previous_response_id=first.id)
        assert (window.object, [item.type for item in window.output]) == (
            "response.compaction",
            ["message", "compaction"],
        )
        # Its type declares items of the model only, so that it warns about messages of the user.
        echoed: Any = [item.model_dump(exclude_unset=True, warnings=False) for item in window.output]
        answer = await client.responses.create(model="m", input=[*echoed, SAID], store=False)
        assert "I received 3 new items (user message, compaction, user message)" in answer.output_text


async def test_a_compaction_is_refused_as_a_request_is(http):
    no_model = await http.post("/responses/compact", json={"input": "x"})
    assert (no_model.status_code, no_model.json()["error"]["param"]) == (400, "model")
    nothing = await http.post("/responses/compact", json={"model": "m"})
    assert nothing.json()["error"]["param"] == "input"
    unknown = await http.post("/responses/compact", json={"model": "m", "previous_response_id": "resp_x"})
    assert unknown.json()["error"]["code"] == "previous_response_not_found"


async def test_a_compaction_is_recorded_as_a_request(sim, http):
    answer = await http.post("/responses/compact", json={"model": "m", "input": [SAID, SAID]})
    (received,) = sim.requests
    assert (received.compacts, received.new_items, received.finished) == (True, 2, "completed")
    assert received.response_id == answer.json()["id"]
    assert (sim.stats.requests_total, sim.stats.completed, sim.stats.in_flight) == (1, 1, 0)


@pytest.mark.parametrize(
    ("script", "status", "ending"),
    [
        (Script(Fail(code="server_error", message="No.", status=500)), 500, "failed"),
        (Script(Say("Content is not played."), Page(502)), 502, "broken"),
        (Script(Wait(0.0)), 200, "completed"),
    ],
    ids=["a failure", "a page of a proxy", "a pause"],
)
async def test_its_failures_are_queued_apart_from_those_of_answers(sim, http, script, status, ending):
    sim.enqueue(script, compaction=True)
    answered = await http.post("/responses", json={"model": "m", "input": "x"})
    compacted = await http.post("/responses/compact", json={"model": "m", "input": "x"})
    assert (answered.status_code, compacted.status_code) == (200, status)
    assert sim.requests[-1].finished == ending


async def test_it_waits_at_a_gate_and_can_be_refused(sim, http):
    sim.enqueue(Script(Gate("open")), compaction=True)
    asked = asyncio.create_task(http.post("/responses/compact", json={"model": "m", "input": "x"}))
    await sim.wait_for(lambda: sim.stats.in_flight)
    sim.open_gate("open")
    assert (await asked).status_code == 200
    sim.settings.merge({"refuse_http": 503})
    refused = await http.post("/responses/compact", json={"model": "m", "input": "x"})
    sim.settings.merge({"no_compaction": True})
    missing = await http.post("/responses/compact", json={"model": "m", "input": "x"})
    assert (refused.status_code, missing.status_code) == (503, 404)


MANAGED: Any = [{"type": "compaction", "compact_threshold": 200}]


async def test_an_answer_begins_with_a_compaction_over_the_threshold(sim):
    async with openai.AsyncOpenAI(api_key="k", base_url=sim.url, max_retries=0) as client:
        ask = partial(client.responses.create, model="m", context_management=MANAGED)
        first = await ask(input="Short.")
        long = await ask(input="Long. " * 200, previous_response_id=first.id)
        after = await ask(input="What now?", previous_response_id=long.id)
    assert [item.type for item in first.output] == ["message"]
    assert [item.type for item in long.output] == ["compaction", "message"]
    assert "already knew 2 items" in long.output_text
    assert [item.type for item in after.output] == ["message"]
    assert "already knew 2 items" in after.output_text, "the compaction, and what followed it"
    assert after.usage is not None
    assert long.usage is not None
    assert after.usage.input_tokens < 200 < long.usage.input_tokens


async def test_what_it_stands_for_may_be_left_out_or_sent_again(sim):
    async with openai.AsyncOpenAI(api_key="k", base_url=sim.url, max_retries=0) as client:
        long: Any = {"role": "user", "content": "Long. " * 200}
        answer = await client.responses.create(model="m", input=[long], context_management=MANAGED)
        echoed: Any = [item.model_dump(exclude_unset=True) for item in answer.output]
        short = await client.responses.create(model="m", input=[*echoed, SAID], store=False)
        whole = await client.responses.create(model="m", input=[long, *echoed, SAID], store=False)
    assert short.usage is not None
    assert whole.usage is not None
    assert short.usage.input_tokens == whole.usage.input_tokens < 200


async def test_its_events_are_those_of_the_api(sim, http):
    body = {"model": "m", "input": "Long. " * 200, "context_management": MANAGED, "stream": True}
    answer = await http.post("/responses", json=body)
    kinds = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    assert kinds[2:6] == [
        "response.output_item.added",
        "response.compaction.compacting",
        "response.output_item.done",
        "response.output_item.added",
    ]


async def test_a_trigger_compacts_at_once_and_must_be_the_last_item(sim, http):
    trigger: Any = {"type": "compaction_trigger"}
    async with openai.AsyncOpenAI(api_key="k", base_url=sim.url, max_retries=0) as client:
        first = await client.responses.create(model="m", input=[SAID, trigger])
        after = await client.responses.create(model="m", input="And?", previous_response_id=first.id)
    assert [item.type for item in first.output] == ["compaction"]
    assert "already knew 1 item." in after.output_text
    refused = await http.post("/responses", json={"model": "m", "input": [trigger, SAID]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input[0]")


@pytest.mark.parametrize(
    "managed", [{}, [{}], [{"type": "x"}], [{"type": "compaction", "compact_threshold": 0}]]
)
async def test_what_asks_for_it_is_checked(http, managed):
    answer = await http.post("/responses", json={"model": "m", "input": "x", "context_management": managed})
    assert answer.status_code == 400
