"""What the upstream remembers and forgets, and the scripts that are queued."""

import pytest

from simulator import scripts
from simulator.scripts import Fail, Gate, Say, Script, Start

ORPHAN = [{"type": "function_call_output", "call_id": "call_x", "output": "?"}]


async def turn(socket, create, receive, text="Hello.", **fields):
    await socket.send(create(text, **fields))
    return (await receive(socket))[-1]


async def test_repeated_items_are_counted(sim, dial, create, receive):
    said = [{"role": "user", "content": "Hello."}]
    async with dial() as socket:
        first = (await turn(socket, create, receive, said))["response"]
        again = [*said, *first["output"], {"role": "user", "content": "More."}]
        await turn(socket, create, receive, again, previous_response_id=first["id"])
    assert [request.repeated_items for request in sim.requests] == [0, 2]


@pytest.mark.parametrize(
    "fields",
    [
        {"input": ORPHAN},
        {"foo": 1},
        {"temperature": 9},
        {"input": "sim:fail"},
        {"input": "sim:fail(at=created)"},
    ],
)
async def test_every_failed_continuation_evicts(dial, create, receive, fields):
    async with dial() as socket:
        first = (await turn(socket, create, receive))["response"]
        await socket.send(create(**{"text": "x", "previous_response_id": first["id"], **fields}))
        failed = (await receive(socket))[-1]
        assert failed["type"] in {"error", "response.failed"}
        gone = await turn(socket, create, receive, previous_response_id=first["id"])
    assert gone["error"]["code"] == "previous_response_not_found"


async def test_a_failure_that_continued_nothing_evicts_nothing(dial, create, receive):
    async with dial() as socket:
        first = (await turn(socket, create, receive))["response"]
        await turn(socket, create, receive, "sim:fail")
        last = await turn(socket, create, receive, previous_response_id=first["id"])
    assert last["type"] == "response.completed"


async def test_an_incomplete_response_can_be_continued(dial, create, receive, sim):
    async with dial() as socket:
        first = (await turn(socket, create, receive, "sim:incomplete"))["response"]
        await turn(socket, create, receive, previous_response_id=first["id"])
    assert sim.requests[-1].known_items == 2


async def test_stored_responses_are_known_to_every_connection(dial, create, receive, http):
    async with dial() as socket:
        first = (await turn(socket, create, receive, store=True))["response"]
    async with dial() as socket:
        second = (await turn(socket, create, receive, previous_response_id=first["id"], store=True))[
            "response"
        ]
    assert second["usage"]["input_tokens_details"]["cached_tokens"] == 0
    answer = await http.post(
        "/responses", json={"model": "m", "input": "Hi.", "previous_response_id": second["id"]}
    )
    assert "already knew 4 items" in answer.text


async def test_a_reference_stands_for_the_stored_item(http, sim):
    first = (await http.post("/responses", json={"model": "m", "input": "Hi."})).json()
    items = [
        {"type": "item_reference", "id": first["output"][0]["id"]},
        {"role": "user", "content": "Go on."},
    ]
    answer = await http.post("/responses", json={"model": "m", "input": items})
    assert "2 new items (assistant message, user message)" in answer.text
    items[0]["id"] = "msg_unknown"
    assert (await http.post("/responses", json={"model": "m", "input": items})).status_code == 404


async def test_a_call_without_its_output_is_refused(dial, create, receive):
    call = [{"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}]
    async with dial() as socket:
        error = await turn(socket, create, receive, call)
    assert error["error"]["message"] == "No tool output found for function call call_1."


async def test_queued_scripts_come_first_and_once(sim, dial, create, receive):
    sim.enqueue(Script(Say("One.")), Script(Say("Two.")))
    async with dial() as socket:
        texts = [
            (await turn(socket, create, receive, "sim:say(text=Three.)"))["response"]["output"][0]["content"][
                0
            ]
            for _ in range(3)
        ]
    assert [part["text"] for part in texts] == ["One.", "Two.", "Three."]


async def test_warm_ups_have_a_queue_of_their_own(sim, dial, create, receive):
    sim.enqueue(Script(Say("For a turn.")))
    sim.enqueue(Script(Start(), Fail()), warm_up=True)
    async with dial() as socket:
        failed = await turn(socket, create, receive, [], generate=False)
        warmed = await turn(socket, create, receive, "x", prompt_cache_options={"prewarm": True})
        answer = await turn(socket, create, receive)
    assert (failed["type"], warmed["type"]) == ("response.failed", "response.completed")
    assert answer["response"]["output"][0]["content"][0]["text"] == "For a turn."


async def test_a_server_can_ignore_generate_false(sim, dial, create, receive):
    sim.settings.ignore_generate = True
    sim.enqueue(Script(Say("Unasked.")), warm_up=True)
    async with dial() as socket:
        answer = await turn(socket, create, receive, [], generate=False)
    assert answer["response"]["output"][0]["content"][0]["text"] == "Unasked."


async def test_a_dialect_for_all(sim, dial, create, receive):
    sim.settings.dialect = scripts.Dialect(output=False)
    async with dial() as socket:
        assert (await turn(socket, create, receive))["response"]["output"] == []


async def test_ids_are_counted_from_the_seed(dial, create, receive):
    async with dial() as socket:
        await socket.send(create("sim:reason"))
        events = await receive(socket)
    ids = [event["item"]["id"] for event in events if event["type"] == "response.output_item.added"]
    assert [events[0]["response"]["id"], *ids] == ["resp_000000000001", "rs_000000000002", "msg_000000000003"]


async def test_memory_does_not_grow_with_the_turns(sim, dial, create, receive):
    sim.settings.merge({"keep_requests": 5, "keep_responses": 5})
    async with dial() as socket:
        for _ in range(20):
            await turn(socket, create, receive, store=True)
    assert len(sim.requests) == 5
    assert len(sim._upstream._store._responses) == 5


async def test_a_second_create_waits_for_the_first(sim, dial, create, receive):
    sim.enqueue(Script(Start(), Gate("go"), Say("First.")), Script(Say("Second.")))
    async with dial() as socket:
        await socket.send(create("One."))
        await socket.send(create("Two."))
        await sim.wait_for(lambda: sim.stats.requests_total == 2)
        sim.open_gate("go")
        endings = [(await receive(socket))[-1]["response"] for _ in range(2)]
    texts = [response["output"][0]["content"][0]["text"] for response in endings]
    assert texts == ["First.", "Second."]
    assert sim.stats.max_in_flight == 1
