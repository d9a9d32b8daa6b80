from typing import Any

import openai

from simulator.compaction import compacted
from simulator.ids import Ids
from simulator.memory import Context

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
