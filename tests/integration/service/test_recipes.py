"""The upstreams files of docs/deployment.md, each against simulators that answer as its servers do."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeAlias

import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from simulator import Settings, Simulator
from simulator.scripts.dialects import DIALECTS
from tests.integration.service.talk import Talk, context, failed, route
from tests.integration.service.two import upstream
from tests.stack import Stack, request

DOCS = Path(__file__).parents[3] / "docs/deployment.md"
VARIABLES = ("OPENAI_API_KEY", "AZURE_API_KEY", "OPENAI_EU_API_KEY", "VLLM_API_KEY")
EU, US = "a-token-of-eu-shop", "a-token-of-us-shop"

Recipe: TypeAlias = Callable[..., Awaitable[tuple[Stack, Mapping[str, Simulator]]]]


@pytest.fixture
async def recipe(start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Recipe]:
    """Starts a service with a recipe, each URL of which leads to a simulator, by its host."""
    for name in VARIABLES:
        monkeypatch.setenv(name, f"sk-{name}")
    async with AsyncExitStack() as simulators:

        async def started(
            name: str, settings: Mapping[str, Settings], **more: str
        ) -> tuple[Stack, Mapping[str, Simulator]]:
            (text,) = re.findall(rf"```toml\n# recipe: {name}\n(.*?)```", DOCS.read_text(), re.DOTALL)
            hosts = {}
            for host, its in settings.items():
                hosts[host] = await simulators.enter_async_context(Simulator(port=0, settings=its))
                found = re.escape(host)
                text, urls = re.subn(rf"https?://{found}(?::\d+)?/[^?\"]*", hosts[host].url, text)
                assert urls == 1, host
            assert "https://" not in text
            file = tmp_path / "upstreams.toml"
            file.write_text(text)
            return await start({"UPSTREAMS_FILE": str(file)} | more), hosts

        yield started


async def test_openai_and_azure(recipe: Recipe) -> None:
    openai, azure = "api.openai.com", "RESOURCE.openai.azure.com"
    settings = {
        openai: Settings(keys=("sk-OPENAI_API_KEY",)),
        azure: Settings(keys=("sk-AZURE_API_KEY",), key_header="api-key"),
    }
    replica, simulators = await recipe("openai-azure", settings)
    talk, other = Talk(replica, model="gpt-5.6"), Talk(replica, "s2", model="gpt-5.6-mini")
    assert upstream(await talk.say("Hello.")) == "openai"
    await other.say("Hello.")
    await simulators[openai].stop()
    moved = await talk.say("And now?")
    assert (upstream(moved), *context(moved)) == ("azure", False, "upstream_changed")
    assert context(await talk.say("And then?")) == (True, "continued")
    assert {one.body["model"] for one in simulators[azure].requests} == {"my-gpt-deployment"}
    failure = await failed(replica.turn(request("Hello.", session="s3", model="gpt-5.6-mini")))
    assert failure.reason == "CONNECT_FAILED", "Azure has no deployment of that model"


async def test_two_regions(recipe: Recipe) -> None:
    us, eu = "api.openai.com", "eu.api.openai.com"
    settings = {us: Settings(keys=("sk-OPENAI_API_KEY",)), eu: Settings(keys=("sk-OPENAI_EU_API_KEY",))}
    replica, simulators = await recipe("two-regions", settings, AUTH_TOKENS=f"{EU}=eu-shop,{US}=us-shop")

    async def ask(token: str, session: str) -> pb.Done:
        metadata = (("authorization", f"Bearer {token}"),)
        return await replica.done(request("Hello.", session=session), metadata=metadata)

    assert upstream(await ask(EU, "s1")) == "eu"
    assert upstream(await ask(US, "s1")) == "us"
    await simulators[us].stop()
    assert upstream(await ask(US, "s2")) == "eu"
    await simulators[us].start()
    await simulators[eu].stop()
    failure = await failed(ask(EU, "s3"))
    assert failure.reason == "CONNECT_FAILED", "it does not leave its region"


async def test_an_own_vllm(recipe: Recipe) -> None:
    vllm, openai = "vllm.internal", "api.openai.com"
    settings = {
        vllm: Settings(keys=("sk-VLLM_API_KEY",), refuse_websocket=404, dialect=DIALECTS["vllm"]),
        openai: Settings(keys=("sk-OPENAI_API_KEY",)),
    }
    replica, simulators = await recipe("own-vllm", settings)
    local, vendor = Talk(replica, model="local/llama-4"), Talk(replica, "s2", model="gpt-5.6")
    for _ in range(2):
        done = await local.say("Hello.")
        assert (upstream(done), *route(done)) == ("vllm", "SSE", "configured")
        assert not context(done)[0]
    asked = simulators[vllm].requests
    assert [one.body["model"] for one in asked] == ["llama-4"] * 2
    assert not any("prompt_cache_key" in one.body or "previous_response_id" in one.body for one in asked)
    assert [upstream(await vendor.say("Hello.")) for _ in range(2)] == ["openai"] * 2
