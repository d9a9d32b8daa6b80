"""A caller with nothing but the address: `buf curl` learns the contract by reflection and streams a turn."""

import asyncio
import json

import pytest

from tests.e2e.conftest import PATIENCE_S, ROOT

BUF = ROOT / "node_modules/.bin/buf"
HELLO = {
    "session_id": "s1",
    "model": "simulated-1",
    "messages": [{"role": "ROLE_USER", "parts": [{"text": {"text": "Hello."}}]}],
}


@pytest.mark.skipif(not BUF.exists(), reason="buf is installed by `make proto-check`")
async def test_buf_curl_streams_a_completion(world):
    url = f"http://{world.address}/trunkline.v1.CompletionService/StreamCompletion"
    arguments = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", json.dumps(HELLO), url]
    process = await asyncio.create_subprocess_exec(
        BUF, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(PATIENCE_S):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    events = json.loads("[" + out.decode().replace("}\n{", "},{") + "]")
    assert set(events[0]) == {"start", "sequence"}
    assert events[-1]["done"]["report"]["contextReason"] == "first_turn"
    text = "".join(event["textDelta"]["delta"] for event in events if "textDelta" in event)
    assert 'You said: "Hello."' in text
