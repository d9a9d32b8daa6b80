import pytest

from tools.demo.processes import DemoError, running_stack


async def test_a_service_that_does_not_start_is_reported(monkeypatch):
    monkeypatch.setenv("TRUNKLINE_UPSTREAM_URL", "no address")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with pytest.raises(DemoError, match=r"the service did not start:\n   service: .*TRUNKLINE_UPSTREAM_URL"):
        async with running_stack():
            pass
