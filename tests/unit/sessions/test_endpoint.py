"""What the turns of one upstream share, and those of two do not."""

import pytest

from service.app import upstreams_of
from service.config.settings import Settings
from service.domain.plan import MINIMAL_BASIS, STRICT_BASIS
from service.domain.report import Peer


async def endpoint_of(**settings):
    upstreams = upstreams_of(Settings(**settings))
    (endpoint,) = upstreams
    await upstreams.close()
    return endpoint


async def test_it_shows_where_its_upstream_is():
    endpoint = await endpoint_of(upstream_url="https://api.example.org/v1?api-version=1")
    assert endpoint.peer == Peer("", "api.example.org", 443)
    assert repr(endpoint).startswith("Endpoint(the only one, Pool(")


@pytest.mark.parametrize(("basis", "changes"), [("minimal", MINIMAL_BASIS), ("strict", STRICT_BASIS)])
async def test_what_ends_a_chain_is_as_its_settings_say(basis, changes):
    endpoint = await endpoint_of(chain_basis=basis)
    assert endpoint.chaining.basis("tenant") == changes


@pytest.mark.parametrize(("replay", "safe_only"), [("once", False), ("safe-only", True)])
async def test_what_is_sent_again_is_as_its_settings_say(replay, safe_only):
    assert (await endpoint_of(replay=replay)).safe_only is safe_only
