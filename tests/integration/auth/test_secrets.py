"""No secret in what the service shows: its log at DEBUG, its spans, its errors, its reprs."""

import logging

import pytest

from service.config.settings import load
from service.domain.tenant import Caller, Credential
from service.rpc.auth.callers import Callers
from service.rpc.settings import ServerSettings
from service.transport.settings import UpstreamSettings
from service.transport.upstream import Upstream
from simulator.scripts import Fail, Script
from tests.integration.auth.conftest import digest
from tests.integration.auth.doors import Knock, bearer, outcome
from tests.integration.service.talk import SSE
from tests.stack import request
from tests.watching import watching

SECRETS = ("t0k3n", "k3y-0wn", "k3y-caller", digest("t0k3n-alpha"))
TURNS = ("stream", "complete", "compact", "warm", "get")


def leaks(text):
    return [secret for secret in SECRETS if secret in text]


@pytest.fixture
def seen():
    with watching() as everything:
        yield everything


async def test_of_what_happens(start, auth_file, seen, caplog):
    caplog.set_level(logging.DEBUG, "service")
    settings = {"AUTH_FILE": str(auth_file), "AUTH_TOKENS": "t0k3n-env=gamma", "CALLER_KEYS": "1"}
    replica = await start(settings, key="k3y-0wn", telemetry=seen.telemetry)
    shown = [repr(replica.manager)]
    keys = ((), (("x-upstream-key", "k3y-caller"),), (("x-upstream-key", "k3y-caller with more"),))
    for token in ("t0k3n-alpha", "t0k3n-env", "t0k3n-modest", "t0k3n-wrong"):
        for key in keys:
            for model in ("simulated-1", "gpt-5"):
                knock = Knock(replica.channel, bearer(token) + key, model=model)
                for door in TURNS:
                    _, error = await outcome(getattr(knock, door))
                    if error is not None:
                        shown += [error.details() or "", repr(error.trailing_metadata())]
    replica.simulator.enqueue(
        Script(Fail(message="Incorrect API key provided: sk-k3y-0wn", code="invalid_api_key"))
    )
    _, error = await outcome(Knock(replica.channel, bearer("t0k3n-alpha")).stream)
    assert error is not None
    shown += [error.details() or "", repr(error.trailing_metadata())]
    await replica.done(request("Hello.", options=SSE), metadata=bearer("t0k3n-alpha") + keys[1])
    auth_file.write_text("t0k3n = t0k3n")
    await outcome(Knock(replica.channel, bearer("t0k3n-alpha")).complete)
    shown += [
        repr(replica.manager._registry),
        *map(repr, replica.manager._registry),
        repr(replica.pool),
    ]

    assert seen.spans
    assert "t0k3n" not in caplog.text
    assert leaks(caplog.text) == []
    assert leaks("".join(span.to_json() for span in seen.spans)) == []
    assert leaks("".join(shown)) == []


def test_of_what_is_shown(auth_file, tmp_path):
    key = tmp_path / "key"
    key.write_text("k3y-0wn")
    environ = {
        "TRUNKLINE_AUTH_FILE": str(auth_file),
        "TRUNKLINE_AUTH_TOKENS": "t0k3n-env=gamma",
        "TRUNKLINE_UPSTREAM_URL": "http://localhost/v1",
    }
    own = load(environ | {"OPENAI_API_KEY": "k3y-0wn"})
    filed = load(environ | {"TRUNKLINE_UPSTREAM_KEY_FILE": str(key)})
    parts = [settings.part(UpstreamSettings) for settings in (own, filed)]
    served = own.part(ServerSettings)
    callers = Callers(served)
    caller = Caller("alpha", key=Credential("k3y-caller"))
    upstreams = [Upstream(part) for part in parts]
    things: list[object] = [
        own,
        filed,
        *parts,
        served,
        callers,
        callers._tenants,
        callers._tenants.current(),
        caller,
        caller.key,
    ]
    things += [*upstreams, *(upstream._keys for upstream in upstreams)]
    assert leaks("".join(f"{thing!r} {thing}" for thing in things)) == []


def test_two_credentials_are_distinguished_by_their_digests():
    assert Credential("a") == Credential("a")
    assert Credential("a") != Credential("b")
    assert len(Credential("a").digest) == 32
