import asyncio

import pytest
from websockets.exceptions import InvalidStatus

PATIENCE_S = 30


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({}, "You didn't provide an API key."),
        ({"Authorization": "Basic abc"}, "You didn't provide an API key."),
        ({"Authorization": "Bearer"}, "You didn't provide an API key."),
        ({"Authorization": "Bearer sk-wrong"}, "Incorrect API key provided: sk-***."),
    ],
)
async def test_keys(sim, http, dial, header, message):
    sim.settings.keys = ("sk-right",)
    del http.headers["authorization"]
    answer = await http.post("/responses", json={"model": "m", "input": "x"}, headers=header)
    assert answer.status_code == 401
    assert answer.json()["error"]["message"].startswith(message)
    with pytest.raises(InvalidStatus) as caught:
        await dial(additional_headers=header)
    assert caught.value.response.status_code == 401
    assert not sim.requests


async def test_a_key_in_a_header_of_its_own(sim, http):
    sim.settings.merge({"keys": ("sk-right",), "key_header": "api-key"})
    body = {"model": "m", "input": "x"}
    assert (await http.post("/responses", json=body, headers={"api-key": "sk-right"})).status_code == 200
    assert (await http.post("/responses", json=body, headers={"api-key": "sk-wrong"})).status_code == 401
    assert (await http.post("/responses", json=body)).status_code == 401


@pytest.mark.parametrize("status", [403, 404, 405, 426, 429, 500, 501, 502, 503])
async def test_handshakes_are_refused(sim, dial, status):
    sim.settings.merge({"refuse_websocket": status, "retry_after": "7", "refuse_times": 1})
    with pytest.raises(InvalidStatus) as caught:
        await dial()
    answer = caught.value.response
    assert (answer.status_code, answer.headers["retry-after"]) == (status, "7")
    async with dial():
        pass
    assert (sim.stats.handshakes, sim.stats.refused, sim.stats.connections_total) == (2, 1, 1)


async def test_a_handshake_that_hangs(sim, dial):
    sim.settings.hang_handshake = True
    dialing = asyncio.ensure_future(dial(open_timeout=None))
    await sim.wait_for(lambda: sim.stats.handshakes == 1, PATIENCE_S)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await dialing
    assert sim.stats.connections_total == 0


async def test_http_is_refused_too(sim, http):
    sim.settings.merge({"refuse_http": 503, "refuse_headers": {"x-should-retry": "false"}})
    answer = await http.post("/responses", json={"model": "m", "input": "x"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (503, "server_error")
    assert answer.headers["x-should-retry"] == "false"


async def test_a_redirect_to_another_host(sim, http):
    elsewhere = "http://192.0.2.1/v1/responses"
    sim.settings.merge({"refuse_http": 307, "refuse_headers": {"location": elsewhere}})
    answer = await http.post("/responses", json={"model": "m", "input": "x"})
    assert (answer.status_code, answer.headers["location"]) == (307, elsewhere)


@pytest.mark.parametrize("body", [b"{nonsense", b"[]", b"null", b"\xff", b"[" * 100_000, b""])
async def test_a_body_that_is_no_object(http, body):
    answer = await http.post("/responses", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("We could not parse the JSON body")


async def test_a_body_over_the_limit(sim, http):
    sim.settings.max_body_bytes = 100
    answer = await http.post("/responses", json={"model": "m", "input": "x" * 100})
    assert answer.status_code == 413


async def test_a_body_of_twenty_megabytes_passes(sim, http):
    body = {"model": "m", "input": "x" * 20_000_000}
    answer = await http.post("/responses", json=body, timeout=PATIENCE_S)
    assert answer.status_code == 200
    assert sim.stats.bytes_received == sim.requests[0].size > 20_000_000


async def test_get_without_an_upgrade(http):
    assert (await http.get("/responses")).status_code == 405


async def test_answers_have_a_request_id_of_their_own(http):
    ids = {
        (await http.post("/responses", json={"model": "m", "input": "x"})).headers["x-request-id"]
        for _ in "ab"
    }
    assert len(ids) == 2


async def test_stopping_ends_what_runs(sim, dial, create, receive):
    sim.settings.delay_s = 60.0
    async with dial() as socket:
        await socket.send(create())
        await receive(socket, "response.in_progress")
        async with asyncio.timeout(PATIENCE_S):
            await sim.stop()
            await socket.wait_closed()
    assert socket.close_code == 1001
    assert sim.stats.open_connections == 0


async def test_a_server_can_ignore_stream(sim, http):
    sim.settings.ignore_stream = True
    answer = await http.post("/responses", json={"model": "m", "input": "x", "stream": True})
    assert answer.headers["content-type"] == "application/json"
    assert (answer.json()["object"], answer.json()["status"]) == ("response", "completed")
