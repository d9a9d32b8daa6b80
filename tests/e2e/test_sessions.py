"""`trunkline sessions` and a real Envoy, which leads a call to one replica: all are shown."""

import json
from collections import Counter

import pytest

from tests.e2e.callers import callers
from tests.e2e.conftest import running
from tests.e2e.fleet import ENVOY, fleet

pytestmark = pytest.mark.skipif(not ENVOY.exists(), reason="no Envoy: `make e2e` and `make check` install it")


async def test_the_sessions_of_all_replicas_are_shown_through_envoy(tmp_path):
    async with fleet(tmp_path, replicas=3) as house, callers(house.door, 24) as everybody:
        for caller in everybody:
            await caller.say("Hello.")
        served = await house.served(24)
        async with running(["-m", "trunkline", "sessions", "--json", "--address", house.door]) as program:
            assert await program.ends() == 0
        records = [json.loads(line) for line in "".join(program.said).splitlines()]
        assert Counter(record["replica"] for record in records).keys() == {"r1", "r2", "r3"}
        assert {record["session_id"]: [record["replica"]] for record in records} == served

        async with everybody[0].client as client:
            near = [one.session_id async for one in client.sessions(near="s0")]
        assert {name for one in near for name in served[one]} == set(served["s0"])
