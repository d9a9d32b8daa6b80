"""What the turns of one upstream share, and those of two do not."""

import pytest

from service.app import upstreams_of
from service.config.settings import Settings
from service.domain.errors import Reason, TurnError
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


LIMITED = TurnError(Reason.RATE_LIMITED, "limit", retry_after=7.0)


@pytest.mark.parametrize(
    ("error", "sources", "available"),
    [
        (TurnError(Reason.CONNECT_FAILED, "no"), "a", False),
        (TurnError(Reason.UPSTREAM_AUTH, "no"), "a", False),
        (LIMITED, "a", False),
        (TurnError(Reason.UPSTREAM_ERROR, "no"), "a", True),
        (TurnError(Reason.UPSTREAM_ERROR, "no"), "aa", True),
        (TurnError(Reason.TIMEOUT, "no"), "ab", False),
    ],
)
async def test_who_cannot_be_asked_is_left_alone(error, sources, available):
    endpoint = await endpoint_of()
    for source in sources:
        endpoint.failed(error, source)
    assert endpoint.available is available


async def test_an_answer_makes_it_available_again_and_a_turn_that_left_says_nothing():
    endpoint = await endpoint_of()
    endpoint.failed(LIMITED, "a")
    endpoint.left("m")
    assert not endpoint.available
    endpoint.answered()
    assert endpoint.available
    endpoint.left("m")
    assert endpoint.available
