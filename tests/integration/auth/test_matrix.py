"""The authorisation matrix: who knocks (a row) at which door (a column), and what the door says."""

import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest

from simulator.scripts import Gate, Say, Script
from tests.integration.auth.conftest import digest
from tests.integration.auth.doors import (
    ANYBODY,
    DOORS,
    OURS,
    TURNS,
    Knock,
    bearer,
    outcome,
    outcomes,
    refusal,
)
from tests.integration.auth.pki import secure
from tests.integration.service.talk import PATIENCE_S
from tests.stack import request


def row(ours, **but):
    """Ours say so, but for some; health and reflection answer anybody who gets through."""
    return dict.fromkeys(OURS, ours) | dict.fromkeys(ANYBODY, "OK") | but


ALL = row("OK")
NOBODY = row("UNAUTHENTICATED")
NO_DOOR = dict.fromkeys(DOORS, "UNAVAILABLE")
NO_TURN = {"get": "NOT_FOUND"}  # and so no session

BY_TOKEN = {
    "no token": ((), NOBODY),
    "a wrong token": (bearer("t0k3n-alph"), NOBODY),
    "a token and more": (bearer("t0k3n-alphax"), NOBODY),
    "the hash of a token": (bearer(digest("t0k3n-alpha")), NOBODY),
    "a tenant's name": (bearer("alpha"), NOBODY),
    "another scheme": ((("authorization", "Basic t0k3n-alpha"),), NOBODY),
    "no scheme": ((("authorization", "t0k3n-alpha"),), NOBODY),
    "a scheme without a token": ((("authorization", "Bearer "),), NOBODY),
    "an empty header": ((("authorization", ""),), NOBODY),
    "two headers": (bearer("t0k3n-alpha") + bearer("t0k3n-alpha"), NOBODY),
    "a key where none is taken": (
        (*bearer("t0k3n-alpha"), ("x-upstream-key", "sk-mine")),
        row("PERMISSION_DENIED"),
    ),
    "a token of the file": (bearer("t0k3n-alpha"), ALL),
    "its second token": (bearer("t0k3n-alpha-new"), ALL),
    "another tenant's": (bearer("t0k3n-beta"), ALL),
    "a token of the environment": (bearer("t0k3n-env"), ALL),
}


@pytest.mark.parametrize(("metadata", "expected"), BY_TOKEN.values(), ids=BY_TOKEN)
async def test_by_token(start, auth_file, metadata, expected):
    replica = await start({"AUTH_FILE": str(auth_file), "AUTH_TOKENS": "t0k3n-env=gamma"})
    assert await outcomes(Knock(replica.channel, metadata)) == expected
    assert bool(replica.simulator.requests) is (expected is ALL)


BY_MODEL = {
    "simulated-1": ALL,
    "simulated-": ALL,
    "exactly-this": ALL,
    "exactly-this-one": row("OK", **NO_TURN) | dict.fromkeys(TURNS, "PERMISSION_DENIED"),
    "Simulated-1": row("OK", **NO_TURN) | dict.fromkeys(TURNS, "PERMISSION_DENIED"),
    "gpt-5": row("OK", **NO_TURN) | dict.fromkeys(TURNS, "PERMISSION_DENIED"),
}


@pytest.mark.parametrize(("model", "expected"), BY_MODEL.items(), ids=BY_MODEL)
async def test_by_model(start, auth_file, model, expected):
    replica = await start({"AUTH_FILE": str(auth_file)})
    caller = Knock(replica.channel, bearer("t0k3n-modest"), model=model)
    assert await outcomes(caller) == expected
    assert bool(replica.simulator.requests) is (expected is ALL)
    if expected is not ALL:
        assert replica.simulator.stats.handshakes == 0
        reported = f"tenant 'modest' may not use the model '{model}'"
        assert await refusal(caller.complete) == ("PERMISSION_DENIED", reported)


BY_LIMIT = {
    "slow": (
        row("OK", **NO_TURN) | dict.fromkeys(TURNS, "RESOURCE_EXHAUSTED"),
        "tenant 'slow' has 1 turns already, its limit (max_turns)",
    ),
    "small": (  # a compaction needs no session
        row("OK", **NO_TURN) | dict.fromkeys(TURNS, "RESOURCE_EXHAUSTED") | {"compact": "OK"},
        "all 1 sessions of this tenant are busy (max_sessions)",
    ),
}


@asynccontextmanager
async def busy(replica, metadata):
    """The tenant has a turn that runs, in a session of that name."""
    before = replica.simulator.stats.in_flight
    replica.simulator.enqueue(Script(Gate("go"), Say("At last.")))
    running = asyncio.ensure_future(replica.done(request("Hello.", session="busy"), metadata=metadata))
    await replica.simulator.wait_for(lambda: replica.simulator.stats.in_flight > before, PATIENCE_S)
    yield
    replica.simulator.open_gate("go")
    await running


@pytest.mark.parametrize(("tenant", "expected", "says"), [(t, *c) for t, c in BY_LIMIT.items()], ids=BY_LIMIT)
async def test_over_a_limit(start, auth_file, tenant, expected, says):
    replica = await start({"AUTH_FILE": str(auth_file)})
    metadata = bearer(f"t0k3n-{tenant}")
    async with busy(replica, metadata):
        before = (replica.simulator.stats.requests_total, replica.simulator.stats.handshakes)
        caller = Knock(replica.channel, metadata)
        assert await outcomes(caller) == expected
        assert await refusal(caller.stream) == ("OVERLOADED", says)
        ran = [expected[turn] for turn in TURNS].count("OK")
        assert (replica.simulator.stats.requests_total - ran, replica.simulator.stats.handshakes) == before
        assert await outcomes(Knock(replica.channel, bearer("t0k3n-beta"))) == ALL, "the limit is another's"
    assert await outcomes(caller) == ALL


BY_CERTIFICATE = {
    "a tenant's, by alternative name": ("alpha", (), ALL),
    "a tenant's, by URI": ("beta", (), ALL),
    "a tenant's, by common name": ("by_common_name", (), ALL),
    "a tenant's, and a token of the same": ("alpha", bearer("t0k3n-alpha"), ALL),
    "a proxy's, with a token": ("proxy", bearer("t0k3n-beta"), ALL),
    "a proxy's, without": ("proxy", (), NOBODY),
    "a proxy's, with a wrong token": ("proxy", bearer("t0k3n"), NOBODY),
    "a tenant's, with a wrong token": ("alpha", bearer("t0k3n"), NOBODY),
    "a tenant's, with another tenant's token": ("alpha", bearer("t0k3n-beta"), NOBODY),
    "of two tenants": ("of_two", (), NOBODY),
    "a common name beside alternative ones": ("common_name_does_not_count", (), NOBODY),
    "none": (None, bearer("t0k3n-alpha"), NO_DOOR),
    "of a wrong CA": ("forged", bearer("t0k3n-alpha"), NO_DOOR),
    "expired": ("expired", bearer("t0k3n-alpha"), NO_DOOR),
}


@pytest.mark.parametrize("case", BY_CERTIFICATE.values(), ids=BY_CERTIFICATE)
async def test_by_certificate(start, auth_file, pki, case):
    name, metadata, expected = case
    replica = await start({"AUTH_FILE": str(auth_file)} | pki.settings(client_ca=True))
    credentials = secure(pki.authority, getattr(pki, name) if name else None)
    async with grpc.aio.secure_channel(replica.address, credentials) as channel:
        assert await outcomes(Knock(channel, metadata)) == expected
    assert bool(replica.simulator.requests) is (expected is ALL)


async def test_certificates_without_a_file_are_one_tenant(start, pki):
    replica = await start(pki.settings(client_ca=True))
    async with grpc.aio.secure_channel(replica.address, secure(pki.authority, pki.proxy)) as channel:
        assert await outcomes(Knock(channel)) == ALL
    async with grpc.aio.secure_channel(replica.address, secure(pki.authority)) as channel:
        assert await outcomes(Knock(channel)) == NO_DOOR


async def test_over_tls_without_client_certificates(start, auth_file, pki):
    replica = await start({"AUTH_FILE": str(auth_file)} | pki.settings())
    async with grpc.aio.secure_channel(replica.address, secure(pki.authority)) as channel:
        assert await outcomes(Knock(channel)) == NOBODY
        assert await outcomes(Knock(channel, bearer("t0k3n-alpha"))) == ALL
    assert await outcomes(Knock(replica.channel, bearer("t0k3n-alpha"))) == NO_DOOR, "plain text"
    doubting = secure(pki.stranger)
    async with grpc.aio.secure_channel(replica.address, doubting) as channel:
        assert await outcomes(Knock(channel, bearer("t0k3n-alpha"))) == NO_DOOR


async def test_an_unknown_method_behind_a_certificate(start, auth_file, pki):
    replica = await start({"AUTH_FILE": str(auth_file)} | pki.settings(client_ca=True))
    async with grpc.aio.secure_channel(replica.address, secure(pki.authority, pki.alpha)) as channel:
        call = channel.unary_unary("/trunkline.v1.CompletionService/Nothing", None, None)
        assert (await outcome(lambda: call(b"")))[0] == "UNIMPLEMENTED"
