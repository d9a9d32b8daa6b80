"""Callers with JWTs at every door: who they are, what they may, and where their keys come from."""

import asyncio
import logging

import grpc
import pytest

from service.rpc.auth import jwks
from tests.integration.auth.conftest import TENANTS
from tests.integration.auth.doors import TURNS, Knock, bearer, outcome, outcomes, refusal
from tests.integration.auth.issuer import Key, claims, document, published, settings
from tests.integration.auth.pki import secure
from tests.integration.auth.test_matrix import ALL, NO_TURN, NOBODY, row

KEY, STRANGER = Key("k1"), Key("k1")
ALPHA = KEY.sign(claims())
DENIED = row("OK", **NO_TURN) | dict.fromkeys(TURNS, "PERMISSION_DENIED")
CLAIMS = {"JWT_MODELS_CLAIM": "models", "JWT_LIMITS_CLAIM": "limits"}


@pytest.fixture
def keys(tmp_path):
    path = tmp_path / "jwks.json"
    path.write_bytes(document(KEY))
    return path


def token(**changed):
    return bearer(KEY.sign(claims(**changed)))


BY_JWT = {
    "a good one": (token(), ALL),
    "of a tenant that the environment names": (token(sub="gamma"), ALL),
    "of a tenant that is named nowhere": (token(sub="delta"), NOBODY),
    "a static token beside it": (bearer("t0k3n-beta"), ALL),
    "of a subject that the file names": (token(sub="spiffe://example/alpha"), ALL),
    "of no tenant": (token(sub="spiffe://example/nobody"), NOBODY),
    "expired": (token(exp=1), NOBODY),
    "for another audience": (token(aud="x"), NOBODY),
    "of another issuer": (token(iss="https://other.example"), NOBODY),
    "signed by a stranger": (bearer(STRANGER.sign(claims())), NOBODY),
    "two of them": (token() + token(), NOBODY),
    "with a word more": (bearer(f"{ALPHA} x"), NOBODY),
    "as another scheme": ((("authorization", f"JWT {ALPHA}"),), NOBODY),
    "and a key where none is taken": ((*token(), ("x-upstream-key", "sk-mine")), row("PERMISSION_DENIED")),
}


@pytest.mark.parametrize(("metadata", "expected"), BY_JWT.values(), ids=BY_JWT)
async def test_by_jwt(start, auth_file, keys, metadata, expected):
    auth_file.write_text(
        TENANTS.replace("[tenants.alpha]", '[tenants.alpha]\nsubjects = ["spiffe://example/alpha"]')
    )
    environ = {"AUTH_FILE": str(auth_file), "AUTH_TOKENS": "t0k3n-env=gamma"} | settings(str(keys))
    replica = await start(environ)
    assert await outcomes(Knock(replica.channel, metadata)) == expected
    assert bool(replica.simulator.requests) is (expected is ALL)


async def test_without_a_file_any_tenant_may_be_named(start, keys):
    replica = await start({"AUTH_TOKENS": "t0k3n-env=gamma"} | settings(str(keys)))
    for subject in ("gamma", "delta", "system:serviceaccount:search:web"):
        assert await outcomes(Knock(replica.channel, token(sub=subject))) == ALL
    reason, says = await refusal(Knock(replica.channel, token(sub="spiffe://example/alpha")).complete)
    assert (reason, "1 to 128 of" in says) == ("UNAUTHENTICATED", True)


async def test_a_tenant_that_the_file_no_longer_names_is_refused(start, auth_file, keys):
    replica = await start({"AUTH_FILE": str(auth_file)} | settings(str(keys)))
    assert await said(replica, token(sub="slow")) == "OK"
    auth_file.write_text("[tenants.alpha]")
    assert await said(replica, token(sub="slow")) == "UNAUTHENTICATED", "and not without its limits"
    assert await said(replica, token()) == "OK"


BY_MODEL = {
    "the tenant's, and the token's": ("modest", ["simulated-1"], ALL),
    "the tenant's, and not the token's": ("modest", ["exactly-this"], DENIED),
    "the token's, and not the tenant's": ("modest", ["gpt-5"], DENIED),
    "the token's, of a tenant that may use all": ("alpha", ["simulated-*"], ALL),
    "of a token without models": ("alpha", [], DENIED),
}


@pytest.mark.parametrize("case", BY_MODEL.values(), ids=BY_MODEL)
async def test_models(start, auth_file, keys, case):
    tenant, models, expected = case
    replica = await start({"AUTH_FILE": str(auth_file)} | settings(str(keys)) | CLAIMS)
    caller = Knock(replica.channel, token(sub=tenant, models=models, limits={}))
    assert await outcomes(caller) == expected
    if expected is DENIED:
        reported = f"tenant '{tenant}' may not use the model 'simulated-1'"
        assert await refusal(caller.complete) == ("PERMISSION_DENIED", reported)


async def test_limits(start, keys):
    replica = await start(settings(str(keys)) | CLAIMS)
    caller = Knock(replica.channel, token(models=["*"], limits={"requests_per_minute": 4}))
    assert await outcomes(caller) == ALL
    assert await refusal(caller.complete) == (
        "RATE_LIMITED",
        "tenant 'alpha' has used its 4 requests a minute (requests_per_minute)",
    )


async def test_what_is_wrong_with_a_signed_token_is_said_and_with_any_other_not(start, keys):
    replica = await start(settings(str(keys)))

    async def said(metadata):
        return await refusal(Knock(replica.channel, metadata).complete)

    assert await said(token(exp=1)) == ("UNAUTHENTICATED", "the token has expired (exp)")
    unknown = ("UNAUTHENTICATED", "the bearer token is not known here")
    assert await said(bearer(STRANGER.sign(claims(exp=1)))) == unknown
    assert await said(bearer("t0k3n")) == unknown


async def test_a_token_beside_a_certificate(start, keys, pki, auth_file):
    environ = {"AUTH_FILE": str(auth_file)} | settings(str(keys)) | pki.settings(client_ca=True)
    replica = await start(environ)
    async with grpc.aio.secure_channel(replica.address, secure(pki.authority, pki.alpha)) as channel:
        assert await outcomes(Knock(channel, token(sub="alpha"))) == ALL
        assert await outcomes(Knock(channel, token(sub="beta"))) == NOBODY


async def test_sessions_of_a_static_token_and_of_a_jwt_of_one_tenant_are_the_same(start, auth_file, keys):
    replica = await start({"AUTH_FILE": str(auth_file)} | settings(str(keys)))
    await Knock(replica.channel, bearer("t0k3n-alpha")).complete()
    assert (await outcome(Knock(replica.channel, token()).get))[0] == "OK"
    assert (await outcome(Knock(replica.channel, token(sub="beta")).get))[0] == "NOT_FOUND"


async def said(replica, metadata):
    return (await outcome(Knock(replica.channel, metadata).complete))[0]


async def test_a_key_is_rotated_in_a_file(start, keys):
    replica = await start(settings(str(keys)))
    new = Key("k2")
    assert await said(replica, token()) == "OK"
    assert await said(replica, bearer(new.sign(claims()))) == "UNAUTHENTICATED"
    keys.write_bytes(document(KEY, new))
    assert await said(replica, bearer(new.sign(claims()))) == "OK"
    keys.write_bytes(document(new))
    assert await said(replica, token()) == "UNAUTHENTICATED", "from the next call on"


async def test_a_key_is_rotated_at_a_url(start, monkeypatch):
    async with published(KEY) as server:
        replica = await start(settings(server.url))
        new = Key("k2")
        assert await said(replica, token()) == "OK"
        server.content = document(new)
        monkeypatch.setattr(jwks, "INTERVAL_S", 0.0)
        assert await said(replica, bearer(new.sign(claims()))) == "OK"
        assert await said(replica, token()) == "UNAUTHENTICATED"


async def test_the_service_starts_and_works_without_its_issuer(start, monkeypatch, caplog):
    async with published(KEY) as server:
        server.status = 503
        replica = await start({"AUTH_TOKENS": "t0k3n-static=alpha"} | settings(server.url))
        assert await said(replica, bearer("t0k3n-static")) == "OK"
        reason, says = await refusal(Knock(replica.channel, token()).complete)
        assert (reason, "not known yet" in says) == ("UNAUTHENTICATED", True)
        assert "answers with the status 503" in caplog.text
        server.status = 200
        monkeypatch.setattr(jwks, "INTERVAL_S", 0.0)
        assert await said(replica, token()) == "OK"


async def test_no_token_is_logged(start, keys, caplog):
    caplog.set_level(logging.DEBUG)
    replica = await start(settings(str(keys)) | {"LOG_LEVEL": "debug"})
    for metadata in (token(), token(exp=1), bearer(STRANGER.sign(claims()))):
        await said(replica, metadata)
        await asyncio.sleep(0)
        for part in metadata[0][1].removeprefix("Bearer ").split("."):
            assert part not in caplog.text
