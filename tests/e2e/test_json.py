"""JSON over HTTP through a real Envoy, as curl sends it: paths, streams, failures, bounds."""

import asyncio
import json
import shutil
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from simulator.scripts import Gate, Say, Script, Start
from tests.e2e.callers import MODEL, callers, each
from tests.e2e.fleet import ENVOY, PATIENCE_S, Fleet, fleet

pytestmark = [
    pytest.mark.skipif(not ENVOY.exists(), reason="no Envoy: `make e2e` and `make check` install it"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="no curl"),
    pytest.mark.asyncio(loop_scope="module"),
]
LARGEST = 8 * 2**20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory) -> AsyncIterator[Fleet]:
    async with fleet(tmp_path_factory.mktemp("json"), replicas=3) as running:
        yield running


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "ROLE_USER", "parts": [{"text": {"text": text}}]}]} | more


@asynccontextmanager
async def curling(
    house: Fleet, path: str, *options: str, body: Any = None, kind: str = "application/json"
) -> AsyncIterator[Process]:
    """curl with this body on its standard input; killed in the end if it still runs."""
    sent = [] if body is None else ["--data-binary", "@-", "--header", f"content-type: {kind}"]
    process = await asyncio.create_subprocess_exec(
        "curl", "--silent", "--no-buffer", *sent, *options, f"http://{house.door}{path}",
        stdin=PIPE, stdout=PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    try:
        process.stdin.write(body if isinstance(body, bytes) else json.dumps(body).encode())
        process.stdin.close()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def curl(house: Fleet, path: str, *options: str, **sent: Any) -> tuple[int, str]:
    """What came back: the status and the body."""
    write_out = ["--write-out", "\n%{http_code}"]
    async with asyncio.timeout(PATIENCE_S), curling(house, path, *options, *write_out, **sent) as process:
        out, _ = await process.communicate()
    body, _, status = out.decode().rpartition("\n")
    return int(status), body


async def answer(house: Fleet, path: str, *options: str, **sent: Any) -> dict[str, Any]:
    """The JSON of a call that must end well."""
    status, body = await curl(house, path, *options, **sent)
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


async def test_each_event_is_a_line_that_comes_when_it_happens(house):
    gates = {2: "second", 3: "third"}  # after so many lines
    one, two = (Say(word, closed=False) for word in ("One ", "two "))
    steps = (Start(), one, Gate("second"), two, Gate("third"), Say("three."))
    house.simulator.enqueue(Script(*steps))
    events: list[dict[str, Any]] = []
    async with curling(house, "/v1/sessions/s1/stream", body=said("Hello.")) as process:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            async for line in process.stdout:
                events.append(json.loads(line))
                if len(events) in gates:
                    house.simulator.open_gate(gates[len(events)])
    assert [event["sequence"] for event in events] == ["1", "2", "3", "4", "5"]
    assert events[0]["start"]["transport"] == "TRANSPORT_WEBSOCKET"
    assert [event["text_delta"]["delta"] for event in events[1:4]] == ["One ", "two ", "three."]
    assert events[4]["done"]["report"]["context_reason"] == "first_turn"

    silent = said("sim:slow(n=3, delay_ms=600000)")
    async with curling(house, "/v1/sessions/s2/stream", body=silent) as process:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            assert "start" in json.loads(await process.stdout.readline())
        assert house.simulator.stats.in_flight == 1
        process.kill()
        # Nobody reads it any more, so the turn stops.
        await house.simulator.wait_for(lambda: house.simulator.stats.in_flight == 0, PATIENCE_S)


async def test_every_other_method_has_its_path(house):
    warm = await answer(house, "/v1/sessions/w1/warm", body={"model": MODEL})
    assert (warm["session"]["session_id"], warm["session"]["live"]) == ("w1", True)

    first = await answer(house, "/v1/sessions/w1/complete", body=said("Hello."))
    assert first["report"]["connection_reused"]
    asked = said("Hello.")
    asked["messages"] += [first["message"], {"role": "ROLE_USER", "parts": [{"text": {"text": "Again."}}]}]
    assert (await answer(house, "/v1/sessions/w1/complete", body=asked))["report"]["context"] == (
        "CONTEXT_INCREMENTAL"
    )
    assert (await answer(house, "/v1/sessions/w1"))["session"]["turns"] == "2"
    listed = await answer(house, "/v1/sessions?page_size=9", "--header", "x-session-id: w1")
    assert "w1" in [one["session_id"] for one in listed["sessions"]]

    short = await answer(house, "/v1/sessions/w1/compact", body=said("Hello."))
    assert short["messages"][-1]["parts"][0]["upstream_item"]["type"] == "compaction"

    turn = said("sim:slow(n=2, delay_ms=600000)", turn_key="k1")
    async with curling(house, "/v1/sessions/w1/stream", body=turn) as process:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            await process.stdout.readline()
            assert await answer(house, "/v1/sessions/w1/cancel", body={"turn_key": "k1"}) == {}
            rest, _ = await process.communicate()
    assert json.loads(rest.splitlines()[-1])["error"]["reason"] == "CANCELLED"

    assert await answer(house, "/v1/sessions/w1", "--request", "DELETE") == {}
    assert (await curl(house, "/v1/sessions/w1"))[0] == 404


async def test_a_failure_is_a_status_with_its_details(house):
    status, body = await curl(house, "/v1/sessions/f1/stream", body={"model": MODEL})
    failure = json.loads(body)
    assert (status, failure["code"]) == (400, 3)
    details = {detail["@type"].rpartition(".")[2]: detail for detail in failure["details"]}
    assert details["ErrorInfo"]["reason"] == "INVALID_REQUEST"
    assert details["BadRequest"]["field_violations"][0]["field"] == "messages"

    status, body = await curl(house, "/v1/sessions/f1/complete", body=said("sim:fail()"))
    details = {detail["@type"].rpartition(".")[2]: detail for detail in json.loads(body)["details"]}
    assert (status, details["ErrorInfo"]["metadata"]["sent"]) == (500, "true")
    assert details["Error"]["reason"] == "UPSTREAM_ERROR"

    # The status of a stream has been sent when it fails, so the last line is what says so.
    status, body = await curl(house, "/v1/sessions/f1/stream", body=said("sim:fail()"))
    assert (status, json.loads(body.splitlines()[-1])["error"]["reason"]) == (200, "UPSTREAM_ERROR")


@pytest.mark.parametrize(
    ("path", "sent", "status", "reason"),
    [
        ("/v1/sessions/b1/complete", {"body": b'{"model": '}, 400, ""),
        ("/v1/sessions/b1/complete", {"body": {"model": 3}}, 400, "model"),
        ("/v1/sessions/b1/complete", {"body": b'{"x":' + b"[" * 1000}, 400, "too deep"),
        ("/v1/sessions/b1/complete", {"body": said("Hi.", session_id="b2")}, 400, "session_id"),
        ("/v1/sessions/b1/complete", {"body": said("Hi."), "kind": "text/plain"}, 415, "--json"),
        ("/v1/sessions/b1/complete", {"body": b" " * (LARGEST + 1)}, 413, ""),
        ("/v1/sessions/b1/complete", {}, 404, "no method"),
        ("/v1/sessions/b1/answer", {"body": {}}, 404, "no method"),
        ("/v1/sessions?pages=2", {}, 400, "pages"),
    ],
)
async def test_what_is_no_call_says_so_and_reaches_no_model(house, path, sent, status, reason):
    before = house.simulator.stats.requests_total
    got, body = await curl(house, path, **sent)
    assert got == status, body
    assert reason in body
    assert house.simulator.stats.requests_total == before


async def test_a_request_of_the_largest_size_is_taken(house):
    empty = json.dumps(said("")).encode()
    body = empty.replace(b'"text": ""', b'"text": "%s"' % (b"a" * (LARGEST - len(empty))))
    assert len(body) == LARGEST
    assert (await answer(house, "/v1/sessions/l1/complete", body=body))["stop_reason"] == "STOP_REASON_STOP"


async def test_json_and_grpc_find_the_same_replica(house):
    async with callers(house.door, 12) as everybody:
        await each(everybody)
        for caller in everybody:
            turn = await answer(house, f"/v1/sessions/{caller.session}/complete", body=said("Hello."))
            assert turn["report"]["connection_reused"]
            assert turn["report"]["context_reason"] == "history_edited"


async def test_the_header_of_who_calls_is_passed_on(tmp_path):
    async with fleet(tmp_path, replicas=1, auth_tokens="secret=alice") as house:
        status, body = await curl(house, "/v1/sessions/a1/complete", body=said("Hello."))
        assert (status, json.loads(body)["details"][0]["reason"]) == (401, "UNAUTHENTICATED")
        bearer = ["--header", "authorization: Bearer secret"]
        assert await answer(house, "/v1/sessions/a1/complete", *bearer, body=said("Hello."))
