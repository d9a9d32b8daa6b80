"""Measure what it costs to identify a caller: `python -m bench.callers`.

Prints the CPU of one call's authentication in microseconds: without any, by a static token, by a JWT that was
verified before, and by one that was not, for each kind of signature. With ten tenants and a JWT of about
400 bytes. The median of several rounds.
"""

import asyncio
import json
import sys
import tempfile
import time
from statistics import median
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from service.config.settings import Settings
from service.rpc.auth.callers import Callers, Metadata
from service.rpc.settings import ServerSettings

ROUNDS, CALLS = 7, 300
TENANTS = tuple((f"t0k3n-of-the-tenant-{number}", f"tenant-{number}") for number in range(10))
KINDS: dict[str, tuple[Any, Any]] = {
    "RS256": (rsa.generate_private_key(public_exponent=65_537, key_size=2048), RSAAlgorithm),
    "ES256": (ec.generate_private_key(ec.SECP256R1()), ECAlgorithm),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate(), OKPAlgorithm),
}


def tokens(algorithm: str, number: int) -> list[Metadata]:
    """Return so many different tokens."""
    now = int(time.time())
    claims = {
        "iss": "https://issuer.example",
        "aud": "trunkline",
        "sub": "tenant-1",
        "iat": now,
        "exp": now + 600,
    }
    key = KINDS[algorithm][0]
    signed = [
        jwt.encode(claims | {"jti": f"{one:040}"}, key, algorithm, {"kid": algorithm})
        for one in range(number)
    ]
    return [(("authorization", f"Bearer {token}"),) for token in signed]


async def cost_us(callers: Callers, calls: list[Metadata]) -> float:
    began = time.process_time()
    for metadata in calls:
        await callers.caller(metadata)
    return (time.process_time() - began) / len(calls) * 1e6


async def costs(file: str) -> list[tuple[str, float]]:
    """Return what each kind of caller costs. `file`: where the keys are."""
    static = Settings(auth_tokens=TENANTS)
    issued = Settings(
        auth_tokens=TENANTS,
        jwt_issuer="https://issuer.example",
        jwt_audience=("trunkline",),
        jwt_jwks=file,
    )
    by_token: list[Metadata] = [(("authorization", f"Bearer {TENANTS[0][0]}"),)] * CALLS
    cases: dict[str, tuple[Settings, list[Metadata], list[Metadata]]] = {
        "nobody": (Settings(), [], [()] * CALLS),
        "static token": (static, [], by_token),
        "static token, beside an issuer": (issued, [], by_token),
    }
    for name in KINDS:
        again = tokens(name, 1) * CALLS
        cases[f"JWT, {name}, verified before"] = issued, again[:1], again
        cases[f"JWT, {name}, new"] = issued, [], tokens(name, CALLS)
    found = []
    for name, (settings, before, calls) in cases.items():
        rounds = []
        for _ in range(ROUNDS):
            callers = Callers(settings.part(ServerSettings))
            for metadata in before:
                await callers.caller(metadata)
            rounds.append(await cost_us(callers, calls))
        found.append((name, median(rounds)))
    return found


def main() -> None:
    keys = [
        kind.to_jwk(key.public_key(), as_dict=True) | {"kid": name, "alg": name}
        for name, (key, kind) in KINDS.items()
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"keys": keys}, file)
        file.flush()
        for name, cost in asyncio.run(costs(file.name)):
            sys.stdout.write(f"{name:34} {cost:8.1f}\n")


if __name__ == "__main__":
    main()
