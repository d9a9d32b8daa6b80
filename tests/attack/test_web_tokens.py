"""Forged JWTs, and an issuer's server that hangs, sends without end, or sends what it must not."""

import asyncio
import base64
import hmac
import json
import time
from hashlib import sha256

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.rpc.auth import web_tokens
from service.rpc.auth.web_tokens import MAX_TOKEN_BYTES
from tests.attack.victim import victim
from tests.integration.auth.doors import OURS, Knock, bearer, outcome, outcomes
from tests.integration.auth.issuer import Key, claims, document, encoded, published, settings
from tests.integration.auth.test_matrix import NOBODY
from tests.integration.faults import raw
from tests.integration.service.talk import PATIENCE_S
from tests.stack import stack

RSA, EC = Key("rsa", "RS256"), Key("ec", "ES256")
MALLORY = Key("rsa", "RS256")
PEAK_MIB = 150


def hs256(secret, **header):
    """A token that is signed with this secret, in place of a key pair."""
    signed = f"{encoded({'alg': 'HS256', 'typ': 'JWT', 'kid': 'rsa'} | header)}.{encoded(claims())}"
    return f"{signed}.{encoded(hmac.digest(secret, signed.encode(), sha256))}"


def unsigned(algorithm, *, signature=""):
    return f"{encoded({'alg': algorithm, 'kid': 'rsa'})}.{encoded(claims())}.{signature}"


def pem(key, form=PublicFormat.SubjectPublicKeyInfo):
    data: bytes = key.private.public_key().public_bytes(Encoding.PEM, form)
    return data


def parts(token):
    return token.split(".")


GOOD = RSA.sign(claims())
HEADER, PAYLOAD, SIGNATURE = parts(GOOD)
OTHER_PAYLOAD = encoded(claims(sub="beta"))
AS_JSON = json.dumps({"protected": HEADER, "payload": PAYLOAD, "signature": SIGNATURE})
KIDS = (
    "",
    "../../../../dev/null",
    "/etc/passwd",
    "' OR 1=1 --",
    "rsa\x00",
    "RSA",
    "http://127.0.0.1:9/",
    "k" * 4000,
)
LONG_NUMBER = b'{"alg": ' + b"9" * 5000 + b"}"

NO_ALGORITHMS: tuple[object, ...] = ("none", "None", "NONE", "nOnE", "", None, 0, ["RS256"], {})
OTHER_IDS: tuple[object, ...] = (7, None, ["rsa"], {"rsa": 1})

FORGED = {
    **{f"alg {name!r}": unsigned(name) for name in NO_ALGORITHMS},
    "alg none with a signature": unsigned("none", signature=SIGNATURE),
    "no alg": f"{encoded({'kid': 'rsa'})}.{PAYLOAD}.{SIGNATURE}",
    "HS256 by the public key, PEM": hs256(pem(RSA)),
    "HS256 by the public key, PKCS 1": hs256(pem(RSA, PublicFormat.PKCS1)),
    "HS256 by the public key, JWK": hs256(json.dumps(RSA.jwk()).encode()),
    "HS256 by the document": hs256(document(RSA, EC)),
    "HS256 by nothing": hs256(b""),
    "HS256 by a key of its own": hs256(b"x", jwk={"kty": "oct", "k": "eA"}),
    "a key of its own": MALLORY.sign(claims(), jwk=MALLORY.jwk()),
    "a stranger's key": MALLORY.sign(claims()),
    "a key of another kind": EC.sign(claims(), kid="rsa"),
    "an algorithm that is not allowed": f"{encoded({'alg': 'RS512', 'kid': 'rsa'})}.{PAYLOAD}.{SIGNATURE}",
    "a signature of zeros": f"{encoded({'alg': 'ES256', 'kid': 'ec'})}.{PAYLOAD}.{encoded(bytes(64))}",
    "no id where there are two keys": Key(None, "RS256").sign(claims()),
    **{f"kid {kid[:20]!r}": RSA.sign(claims(), kid=kid) for kid in KIDS},
    **{f"kid {kid!r}": f"{encoded({'alg': 'RS256', 'kid': kid})}.{PAYLOAD}.{SIGNATURE}" for kid in OTHER_IDS},
    "another payload": f"{HEADER}.{OTHER_PAYLOAD}.{SIGNATURE}",
    "another header": f"{encoded({'alg': 'RS256', 'kid': 'rsa', 'x': 1})}.{PAYLOAD}.{SIGNATURE}",
    "the signature of another": f"{HEADER}.{PAYLOAD}.{parts(RSA.sign(claims(sub='beta')))[2]}",
    "no signature": f"{HEADER}.{PAYLOAD}.",
    "half a signature": f"{HEADER}.{PAYLOAD}.{SIGNATURE[: len(SIGNATURE) // 2]}",
    "a longer signature": f"{HEADER}.{PAYLOAD}.{SIGNATURE}AAAA",
    "two parts": f"{HEADER}.{PAYLOAD}",
    "four parts": f"{GOOD}.{SIGNATURE}",
    "five parts": f"{HEADER}..{PAYLOAD}.{SIGNATURE}.{SIGNATURE}",
    "two payloads": f"{HEADER}.{PAYLOAD}.{OTHER_PAYLOAD}.{SIGNATURE}",
    "only dots": "..",
    "the JSON form": AS_JSON,
    "the JSON form, encoded": encoded(AS_JSON.encode()),
    "another alphabet": GOOD.replace("-", "+").replace("_", "/"),
    "letters that are none of the alphabet": f"{HEADER}.{PAYLOAD}!.{SIGNATURE}",
    "bits that nobody reads": f"{HEADER}.{PAYLOAD}.{SIGNATURE[:-1]}{chr(ord(SIGNATURE[-1]) + 1)}",
    "an unencoded payload": RSA.sign(claims(), crit=["b64"]),
    "a critical extension": RSA.sign(claims(), crit=["exp"], exp=1),
    "a header that is no object": f"{encoded([])}.{PAYLOAD}.{SIGNATURE}",
    "a deep header": f"{encoded(b'[' * 5000)}.{PAYLOAD}.{SIGNATURE}",
    "a long number": f"{encoded(LONG_NUMBER)}.{PAYLOAD}.{SIGNATURE}",
    "a payload that is no object": jwt.PyJWS().encode(b"[]", RSA.private, "RS256", {"kid": "rsa"}),
    "a payload that is no JSON": jwt.PyJWS().encode(b"{", RSA.private, "RS256", {"kid": "rsa"}),
    "a giant": RSA.sign(claims(more="x" * 9000)),
}


async def test_no_forged_token_opens_a_door(tmp_path):
    path = tmp_path / "jwks.json"
    path.write_bytes(document(RSA, EC))
    async with stack(settings(str(path))) as replica:
        opened = []
        for name, token in FORGED.items():
            # One of the simplest doors for each, and all of them for some: the check is the same.
            status, _ = await outcome(Knock(replica.channel, bearer(token)).get)
            if status != "UNAUTHENTICATED":
                opened.append((name, status))
        assert opened == []
        for name in ("alg 'none'", "HS256 by the public key, PEM", "another payload"):
            assert await outcomes(Knock(replica.channel, bearer(FORGED[name]))) == NOBODY
        assert replica.simulator.requests == []
        for key in (RSA, EC):
            assert (await outcome(Knock(replica.channel, bearer(key.sign(claims()))).complete))[0] == "OK"


async def test_an_address_in_a_header_is_never_asked(tmp_path):
    path = tmp_path / "jwks.json"
    path.write_bytes(document(RSA, EC))
    async with published(MALLORY) as trap, stack(settings(str(path))) as replica:
        for name in ("jku", "x5u", "iss"):
            token = MALLORY.sign(claims(iss=trap.url), **{name: trap.url}, kid=trap.url)
            assert (await outcome(Knock(replica.channel, bearer(token)).get))[0] == "UNAUTHENTICATED"
        assert trap.asked == 0


async def test_a_flood_of_unknown_keys_asks_a_server_that_hangs_once_and_delays_nobody_else(monkeypatch):
    monkeypatch.setattr(web_tokens, "FETCH_S", PATIENCE_S)
    async with published(EC) as server:
        server.gate.clear()
        environ = settings(server.url) | {"AUTH_TOKENS": "t0k3n-static=beta"}
        async with stack(environ) as replica:
            invented = [Key(f"k{number}").sign(claims()) for number in range(20)]
            flood = [
                asyncio.create_task(outcome(Knock(replica.channel, bearer(token)).get))
                for token in invented * 10
            ]
            known = Knock(replica.channel, bearer("t0k3n-static"))
            for _ in range(5):
                assert (await outcome(known.complete))[0] == "OK"
            assert not any(task.done() for task in flood), "they wait for the keys, the others for nothing"
            server.gate.set()
            async with asyncio.timeout(PATIENCE_S):
                assert {status for status, _ in await asyncio.gather(*flood)} == {"UNAUTHENTICATED"}
            assert server.asked == 1


async def test_a_document_without_end_takes_no_memory(simulator):
    ended = asyncio.Event()

    async def endless(_reader, writer, _head):
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"keys": [')
        try:
            while True:
                writer.write(b" " * 1_000_000)
                await writer.drain()
        finally:
            ended.set()

    async with raw.upstream(endless) as url:
        environ = settings(url) | {"AUTH_TOKENS": "t0k3n-static=beta"}
        async with victim(simulator.url, **environ) as service:
            async with grpc.aio.insecure_channel(service.address) as channel:
                async with asyncio.timeout(PATIENCE_S):
                    await ended.wait()
                caller = Knock(channel, bearer(EC.sign(claims())))
                assert await outcomes(caller, OURS) == dict.fromkeys(OURS, "UNAUTHENTICATED")
                assert (await outcome(Knock(channel, bearer("t0k3n-static")).complete))[0] == "OK"
            assert service.peak_mib() <= PEAK_MIB


@pytest.mark.parametrize("size", [100, 8000])
async def test_junk_costs_little_more_than_an_unknown_token(tmp_path, size):
    """What a stranger's token costs before it is refused, each of the largest size that metadata allows."""
    path = tmp_path / "jwks.json"
    path.write_bytes(document(RSA, EC))
    junk = base64.urlsafe_b64encode(b"x" * size).decode()
    token = f"{HEADER}.{junk}.{SIGNATURE}"[:MAX_TOKEN_BYTES]
    async with stack(settings(str(path))) as replica:
        caller = Knock(replica.channel, bearer(token))
        await outcome(caller.get)
        began = time.process_time()
        for _ in range(50):
            assert (await outcome(caller.get))[0] == "UNAUTHENTICATED"
        assert (time.process_time() - began) / 50 < 0.02
