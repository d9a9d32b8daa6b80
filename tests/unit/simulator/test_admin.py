import pytest


@pytest.fixture
def admin(http, sim):
    http.base_url = sim.url.removesuffix("/v1") + "/sim"
    return http


async def test_settings_are_merged(sim, admin):
    answer = await admin.post("/settings", json={"refuse_websocket": 426, "dialect": {"sequence": False}})
    assert answer.json()["refuse_websocket"] == 426
    assert (sim.settings.refuse_websocket, sim.settings.dialect.sequence) == (426, False)
    await admin.post("/settings", json={"refuse_websocket": None})
    assert (await admin.get("/settings")).json()["refuse_websocket"] is None
    assert sim.settings.dialect.sequence is False


async def test_keys_are_not_shown(sim, admin):
    sim.settings.keys = ("sk-secret",)
    assert "sk-secret" not in (await admin.get("/settings")).text


@pytest.mark.parametrize("body", [{"no_such_setting": 1}, {"max_age_s": "soon", "delay_s": 1.0}, [1]])
async def test_a_bad_change_changes_nothing(sim, admin, body):
    answer = await admin.post("/settings", json=body)
    assert answer.status_code == 400
    assert (sim.settings.max_age_s, sim.settings.delay_s) == (3600.0, 0.0)


async def test_stats_and_requests(sim, admin):
    await admin.post(f"{sim.url}/responses", json={"model": "m", "input": "Secret words."})
    assert (await admin.get("/stats")).json()["completed"] == 1
    (summary,) = (await admin.get("/requests")).json()
    assert summary == {
        "transport": "http",
        "connection_id": "http_1",
        "size": len(b'{"model":"m","input":"Secret words."}'),
        "new_items": 1,
        "known_items": 0,
        "repeated_items": 0,
        "response_id": "resp_000000000002",
        "finished": "completed",
        "compacts": False,
        "previous_response_id": None,
        "generate": True,
        "items": ["message"],
    }


async def test_directives_are_queued(sim, admin):
    answer = await admin.post("/enqueue", json=["sim:say(text=Once.)"])
    assert answer.json() == {"queued": 1}
    answers = [await admin.post(f"{sim.url}/responses", json={"model": "m", "input": "x"}) for _ in "ab"]
    texts = [answer.json()["output"][0]["content"][0]["text"] for answer in answers]
    assert texts[0] == "Once."
    assert texts[1].startswith("I received")


@pytest.mark.parametrize("body", [["sim:no_such"], ["nothing"], "sim:echo", [1]])
async def test_an_invalid_directive_is_refused(sim, admin, body):
    answer = await admin.post("/enqueue", json=body)
    assert answer.status_code == 400
