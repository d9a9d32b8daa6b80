import pytest

from tools.demo.processes import DemoError, another_replica, running_stack


async def test_a_service_that_does_not_start_is_reported(monkeypatch):
    monkeypatch.setenv("TRUNKLINE_UPSTREAM_URL", "no address")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with pytest.raises(DemoError, match=r"the service did not start:\n   service: .*TRUNKLINE_UPSTREAM_URL"):
        async with running_stack():
            pass


async def test_a_further_replica_can_be_killed(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with running_stack() as stack, another_replica(stack) as replica:
        assert replica.address != stack.address
        await replica.kill()
        assert replica._program.process.returncode == -9
    assert stack.environ["TRUNKLINE_CONTINUATION_KEY"] not in repr(stack)
