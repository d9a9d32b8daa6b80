"""What `make demo` and `make run` start."""

import re
import signal
import socket

import grpc
import pytest

from service.gen.trunkline.v1 import completion_pb2_grpc
from tests.e2e.conftest import PATIENCE_S, running
from tests.ports import free_ports
from tests.stack import request


async def test_the_demo_shows_each_turn_and_ends_well():
    async with running(["-m", "tools.demo"]) as demo:
        code = await demo.ends()
    output = "".join(demo.said)
    assert code == 0, output
    expected = {
        "INCREMENTAL (continued)": 7,
        "FULL (first_turn)": 3,
        "FULL (history_edited)": 1,
        "sse (requested)": 2,
        "sse (upgrade_refused)": 1,
        "cites Tides": 2,
    }
    assert {turn: output.count(turn) for turn in expected} == expected


async def test_the_demo_of_failover_goes_on_with_the_second_upstream():
    async with running(["-m", "tools.demo.failover"]) as demo:
        code = await demo.ends()
    output = "".join(demo.said)
    assert code == 0, output
    ends = re.findall(r"at (first|second) \((\w+)\)", output)
    assert ends == [
        ("first", "preferred"),
        ("first", "preferred"),
        ("second", "connect_failed"),
        ("second", "cooldown"),
    ]
    assert "FULL (upstream_changed)" in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_run_serves_until_a_signal(number):
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    async with running(["-m", "tools.run_local"], TRUNKLINE_LISTEN=address) as run:
        await run.says(r"(buf curl)")
        assert "upstream is the simulator" in "".join(run.said)
        async with grpc.aio.insecure_channel(address) as channel:
            call = completion_pb2_grpc.CompletionServiceStub(channel).StreamCompletion(
                request("Hello."), timeout=PATIENCE_S
            )
            assert [event async for event in call][-1].WhichOneof("event") == "done"
        run.process.send_signal(number)
        assert await run.ends() == 0
    with socket.create_server(("127.0.0.1", port)):
        pass  # the port is free again
    assert "Traceback" not in "".join(run.said)


async def test_run_says_that_its_port_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with running(["-m", "tools.run_local"], TRUNKLINE_LISTEN=address) as run:
            assert await run.ends() == 1
    assert f"{address} is taken" in "".join(run.said)
