"""deploy/envoy.yaml: a real Envoy reads it, and browsers, Prometheus and the log get what it promises."""

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import session_pb2
from service.rpc.auth.callers import UPSTREAM_KEY
from tests.e2e.callers import MODEL
from tests.e2e.fleet import CONFIG, ENVOY, Fleet, fleet, until
from tests.stack import request

pytestmark = pytest.mark.skipif(not ENVOY.exists(), reason="no Envoy: `make e2e` and `make check` install it")
COMPLETE = "/trunkline.v1.CompletionService/Complete"
GET_SESSION = "/trunkline.v1.SessionService/GetSession"


async def test_envoy_accepts_the_file_and_finds_nothing_to_remark():
    process = await asyncio.create_subprocess_exec(
        ENVOY, "--mode", "validate", "--config-path", CONFIG, "--log-level", "warn",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=CONFIG.parent,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert (process.returncode, said.decode().splitlines()) == (0, [f"configuration '{CONFIG}' OK"])


@pytest.fixture
async def house(tmp_path) -> AsyncIterator[Fleet]:
    async with fleet(tmp_path, replicas=1) as running:
        yield running


async def grpc_web(house: Fleet, path: str, message: bytes, **headers: str):
    """A call as a browser makes it. Returns headers, messages, and trailers as a browser sees them."""
    answer = await house.http.post(
        f"http://{house.door}{path}",
        content=struct.pack(">BI", 0, len(message)) + message,
        headers={"content-type": "application/grpc-web+proto", "x-grpc-web": "1"} | headers,
    )
    messages, trailers, rest = [], b"", answer.content
    while rest:
        flags, size = struct.unpack(">BI", rest[:5])
        frame, rest = rest[5 : 5 + size], rest[5 + size :]
        if flags & 0x80:
            trailers = frame
        else:
            messages.append(frame)
    return answer.headers, messages, trailers.decode().replace(": ", ":")


async def test_a_page_may_call_and_sees_why_a_call_failed(house):
    said = pb.CompleteRequest()
    said.ParseFromString(request("Hello.", model=MODEL).SerializeToString())
    origin = {"origin": "http://localhost:5173"}
    headers, [message], trailers = await grpc_web(house, COMPLETE, said.SerializeToString(), **origin)
    assert pb.CompleteResponse.FromString(message).message.parts
    assert "grpc-status:0" in trailers
    assert headers["access-control-allow-origin"] == origin["origin"]

    unknown = session_pb2.GetSessionRequest(session_id="unknown").SerializeToString()
    headers, messages, _ = await grpc_web(house, GET_SESSION, unknown, **origin)
    assert (messages, headers["grpc-status"]) == ([], "5")
    exposed = headers["access-control-expose-headers"].split(",")
    assert {"grpc-status", "grpc-message", "grpc-status-details-bin"} <= set(exposed)
    assert headers["grpc-status-details-bin"]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://localhost:5173", True),
        ("http://127.0.0.1:8080", True),
        ("http://localhost.example.com", False),
        ("https://example.com", False),
    ],
)
async def test_only_pages_of_this_machine_may_call(house, origin, allowed):
    asked = {"origin": origin, "access-control-request-method": "POST"}
    answer = await house.http.options(f"http://{house.door}{COMPLETE}", headers=asked)
    assert ("access-control-allow-origin" in answer.headers) == allowed


async def test_a_page_may_send_whatever_the_service_reads(house):
    asked = {"origin": "http://localhost:5173", "access-control-request-method": "POST"}
    answer = await house.http.options(f"http://{house.door}{COMPLETE}", headers=asked)
    allowed = set(answer.headers["access-control-allow-headers"].split(","))
    assert {"authorization", "x-session-id", UPSTREAM_KEY, "traceparent", "grpc-timeout"} <= allowed


async def test_metrics_can_be_read_and_nothing_else_of_the_admin_interface(house):
    answer = await house.http.get(f"http://{house.stats}/stats/prometheus")
    assert 'envoy_cluster_membership_healthy{envoy_cluster_name="trunkline"} 1' in answer.text
    assert (await house.http.get(f"http://{house.stats}/config_dump")).status_code == 404
    assert (await house.http.post(f"http://{house.stats}/quitquitquit")).status_code == 404


async def test_the_access_log_says_where_a_call_went_and_of_which_trace_it_was(house):
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    unknown = session_pb2.GetSessionRequest(session_id="s9").SerializeToString()
    await grpc_web(house, GET_SESSION, unknown, **{"x-session-id": "s9", "traceparent": traceparent})
    await until(lambda: len(house.access()) == 1)
    [entry] = house.access()
    assert (entry["path"], entry["session"], entry["grpc_status"]) == (GET_SESSION, "s9", "NotFound")
    assert (entry["traceparent"], entry["replica"]) == (traceparent, house.replicas[0].address)
