"""What a JWT proves, what it may claim, and what it costs the second time."""

import time
from hashlib import sha256
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.warnings import InsecureKeyLengthWarning

from service.domain.errors import Reason, TurnError
from service.domain.tenant import Caller, Rates
from service.rpc.auth import web_tokens
from service.rpc.auth.jwks import INTERVAL_S, KeySet, parse
from service.rpc.auth.tenants import Tenants
from service.rpc.auth.web_tokens import LEEWAY_S, MAX_TOKEN_BYTES, Expected, WebTokens
from tests.integration.auth.issuer import AUDIENCE, HOUR_S, ISSUER, Key, claims, document, encoded
from tests.parts import server_settings

ALGORITHMS = ("RS256", "ES256", "EdDSA")
KEY, OTHER = Key("k1"), Key("k2")
ALPHA = Caller("alpha", max_turns=5, models=("gpt-*", "o1"), rates=Rates(tokens_per_day=100), has_peers=True)
UNKNOWN = Caller(rates=Rates(requests_per_minute=7), has_peers=True)


class Source:
    """Keys that change when a test says so. `renewals`: how often they were asked for."""

    def __init__(self, *keys: Key, then: tuple[Key, ...] = ()) -> None:
        self.keys = parse(document(*keys), ALGORITHMS) if keys else KeySet()
        self._then = parse(document(*then), ALGORITHMS) if then else self.keys
        self.renewals = 0

    def start(self) -> None: ...
    async def close(self) -> None: ...

    def current(self) -> KeySet:
        return self.keys

    async def renewed(self) -> KeySet:
        self.renewals += 1
        self.keys = self._then
        return self.keys


def tenants() -> Tenants:
    return Tenants([], {}, {"spiffe://example.org/alpha": ALPHA}, {"alpha": ALPHA}, UNKNOWN)


TENANTS = tenants()


def verifier(source: Source | None = None, wall: Any = time.time, **names: Any) -> WebTokens:
    named = {"tenant_claim": "sub"} | names
    expected = Expected(ISSUER, (AUDIENCE, "another"), ALGORITHMS, **named)
    return WebTokens(expected, source or Source(KEY), wall)


async def caller(token: str, tokens: WebTokens | None = None) -> Caller | None:
    return await identified(token, tokens or verifier())


async def identified(token: str, tokens: WebTokens, known: Tenants = TENANTS) -> Caller | None:
    """As each call does it: look it up, and else verify it."""
    digest = sha256(token.encode()).digest()
    return tokens.known(digest, known) or await tokens.caller(token.encode(), digest, known)


async def refusal(token: str, tokens: WebTokens | None = None) -> str:
    with pytest.raises(TurnError) as caught:
        await caller(token, tokens)
    assert caught.value.reason is Reason.UNAUTHENTICATED
    return caught.value.message


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_signed_token_is_the_tenant_of_its_subject(algorithm):
    key = Key("k1", algorithm)
    assert await caller(key.sign(claims()), verifier(Source(key))) == ALPHA


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("alpha", ALPHA),
        ("spiffe://example.org/alpha", ALPHA),
        ("ci:repo-1", Caller("ci:repo-1", rates=Rates(requests_per_minute=7))),
    ],
)
async def test_the_tenant_is_named_or_has_the_subject(subject, expected):
    found = await caller(KEY.sign(claims(sub=subject)))
    assert found == expected
    assert found is not None
    assert found.has_peers


@pytest.mark.parametrize("changed", [{"aud": ["x", "another"]}, {"nbf": None, "iat": None}])
async def test_one_of_several_audiences_will_do_and_so_will_an_end_alone(changed):
    assert await caller(KEY.sign(claims(**changed))) == ALPHA


@pytest.mark.parametrize(("name", "towards"), [("exp", -1), ("nbf", 1), ("iat", 1)])
async def test_clocks_may_be_a_little_apart(name, towards):
    now = int(time.time())
    assert await caller(KEY.sign(claims(**{name: now + towards * LEEWAY_S // 2}))) == ALPHA
    await refusal(KEY.sign(claims(**{name: now + towards * LEEWAY_S * 2})))


NO_NAME = "must have a tenant's name: 1 to 128 of A-Z a-z 0-9 _ . : - in the claim 'sub'"
SIGNED_AND_WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"exp": 1}, "the token has expired (exp)"),
    "not valid yet": ({"nbf": 2**33}, "the token is not valid yet (nbf, iat)"),
    "issued in the future": ({"iat": 2**33}, "the token is not valid yet (nbf, iat)"),
    "another audience": ({"aud": "x"}, "the token is for another audience (aud)"),
    "an empty audience": ({"aud": []}, "the token lacks the claim aud"),
    "an audience of another type": ({"aud": {"a": 1}}, "the token is for another audience (aud)"),
    "no audience": ({"aud": None}, "the token lacks the claim aud"),
    "another issuer": ({"iss": f"{ISSUER}/"}, "the token is of another issuer (iss)"),
    "no issuer": ({"iss": None}, "the token lacks the claim iss"),
    "no end": ({"exp": None}, "the token lacks the claim exp"),
    "no subject": ({"sub": None}, "the token must have a string in the claim 'sub'"),
    "an empty subject": ({"sub": ""}, f"the token {NO_NAME}"),
    "an unknown URI": ({"sub": "spiffe://example.org/beta"}, NO_NAME),
    "a line end": ({"sub": "alpha\n"}, NO_NAME),
    "a long subject": ({"sub": "a" * 129}, NO_NAME),
}


@pytest.mark.parametrize(("changed", "says"), SIGNED_AND_WRONG.values(), ids=SIGNED_AND_WRONG)
async def test_the_claim_that_is_wrong_is_named(changed, says):
    assert says in await refusal(KEY.sign(claims(**changed)))


async def test_where_a_file_names_the_tenants_there_are_no_others():
    closed = Tenants([], {}, {"spiffe://example.org/alpha": ALPHA}, {"alpha": ALPHA}, None)
    for subject in ("alpha", "spiffe://example.org/alpha"):
        assert await identified(KEY.sign(claims(sub=subject)), verifier(), closed) == ALPHA
    with pytest.raises(TurnError, match=r"a tenant of the auth file, .* in the claim 'sub'") as caught:
        await identified(KEY.sign(claims(sub="beta")), verifier(), closed)
    assert caught.value.reason is Reason.UNAUTHENTICATED


@pytest.mark.parametrize("exp", ["soon", [], {}, float("inf"), float("nan")])
async def test_an_end_that_is_no_time_is_refused(exp):
    assert await caller(KEY.sign(claims(exp=exp))) is None


async def test_an_end_far_away_is_one():
    assert await caller(KEY.sign(claims(exp=10**400))) == ALPHA


async def test_a_claim_of_another_name_names_the_tenant():
    tokens = verifier(tenant_claim="https://example.org/team")
    token = KEY.sign(claims(sub="x") | {"https://example.org/team": "alpha"})
    assert await caller(token, tokens) == ALPHA
    assert "claim 'https://example.org/team'" in await refusal(KEY.sign(claims()), tokens)


@pytest.mark.parametrize(
    ("models", "allowed"),
    [
        (["gpt-5*"], ("gpt-5*",)),
        (["*"], ("gpt-*", "o1")),
        (["o1", "gpt-5", "gpt-5", "claude"], ("gpt-5", "o1")),
        (["o*"], ("o1",)),
        (["claude"], ()),
        ([], ()),
    ],
)
async def test_models_are_those_that_file_and_token_allow(models, allowed):
    found = await caller(KEY.sign(claims(may=models)), verifier(models_claim="may"))
    assert found is not None
    assert found.models == allowed


async def test_limits_are_the_lower_of_file_and_token():
    limits = {"max_turns": 9, "max_sessions": 3, "tokens_per_day": 50, "requests_per_minute": 2}
    found = await caller(KEY.sign(claims(limits=limits)), verifier(limits_claim="limits"))
    assert found is not None
    assert (found.max_turns, found.max_sessions, found.rates) == (5, 3, Rates(2, None, 50))
    assert await caller(KEY.sign(claims(limits={})), verifier(limits_claim="limits")) == ALPHA


WRONG_CLAIMS: dict[str, tuple[str, Any]] = {
    "no models": ("models_claim", None),
    "models as a text": ("models_claim", "gpt-5"),
    "a star in the middle": ("models_claim", ["gpt*5"]),
    "a number for a model": ("models_claim", [5]),
    "too many models": ("models_claim", ["m"] * 101),
    "no limits": ("limits_claim", None),
    "a list of limits": ("limits_claim", [5]),
    "an unknown limit": ("limits_claim", {"max_turn": 5}),
    "a limit of none": ("limits_claim", {"max_turns": 0}),
    "a limit of half": ("limits_claim", {"max_turns": 0.5}),
    "models among the limits": ("limits_claim", {"models": ["x"]}),
}


@pytest.mark.parametrize(("name", "value"), WRONG_CLAIMS.values(), ids=WRONG_CLAIMS)
async def test_a_claim_that_a_setting_names_must_be_there_and_be_valid(name, value):
    names: dict[str, Any] = {name: "x"}
    said = await refusal(KEY.sign(claims(x=value)), verifier(**names))
    assert said.startswith("the token must have ")
    assert said.endswith(" in the claim 'x'")


async def test_a_key_that_is_unknown_is_looked_for_once():
    source = Source(OTHER, then=(OTHER, KEY))
    tokens = verifier(source)
    assert await caller(KEY.sign(claims()), tokens) == ALPHA
    assert source.renewals == 1
    assert await caller(Key("k3").sign(claims()), tokens) is None
    assert source.renewals == 2


async def test_a_short_key_verifies_nothing():
    key = Key("k1", "RS256")
    key.private = rsa.generate_private_key(public_exponent=65_537, key_size=1024)
    with pytest.warns(InsecureKeyLengthWarning):
        token = key.sign(claims())
    assert await caller(token, verifier(Source(key))) is None


OTHER_ALGORITHM = encoded({"alg": "ES384", "kid": "k1"})


async def test_junk_asks_for_no_keys():
    source = Source(OTHER)
    tokens = verifier(source)
    for token in ("", "x", "a.b.c", "t0k3n", f"{OTHER_ALGORITHM}.e30.AAAA", "x" * (MAX_TOKEN_BYTES + 1)):
        assert await caller(token, tokens) is None
    assert source.renewals == 0


async def test_without_any_key_the_caller_may_come_again():
    with pytest.raises(TurnError, match="not known yet") as caught:
        await caller(KEY.sign(claims()), verifier(Source()))
    assert (caught.value.reason, caught.value.retryable) == (Reason.UNAUTHENTICATED, True)
    assert caught.value.retry_after == INTERVAL_S


@pytest.fixture
def verified(monkeypatch):
    """How often a signature was verified."""
    calls = []
    decode = jwt.decode

    def counted(*args: Any, **options: Any) -> Any:
        calls.append(args)
        return decode(*args, **options)

    monkeypatch.setattr(jwt, "decode", counted)
    return calls


async def test_a_token_is_verified_once_until_it_expires(verified):
    now = time.time()
    tokens = verifier(wall=lambda: now)
    token = KEY.sign(claims())
    for _ in range(3):
        assert await caller(token, tokens) == ALPHA
    assert len(verified) == 1
    now += HOUR_S + LEEWAY_S - 2
    assert await caller(token, tokens) == ALPHA
    assert len(verified) == 1
    now += 2
    await caller(token, tokens)
    assert len(verified) == 2


async def test_other_keys_or_tenants_count_at_once(verified):
    source = Source(KEY, then=(OTHER,))
    tokens = verifier(source)
    token = KEY.sign(claims())
    assert await identified(token, tokens) == ALPHA
    assert await identified(token, tokens, tenants()) == ALPHA
    assert len(verified) == 2
    source.keys = parse(document(KEY), ALGORITHMS)
    assert await identified(token, tokens) == ALPHA
    assert len(verified) == 3
    await source.renewed()
    assert await identified(token, tokens) is None, "its key is gone"


async def test_a_token_that_was_refused_is_not_remembered():
    tokens = verifier()
    await refusal(KEY.sign(claims(aud="x")), tokens)
    assert await caller(OTHER.sign(claims()), tokens) is None
    assert repr(tokens) == f"WebTokens({ISSUER}, 0 remembered)"


async def test_what_is_remembered_has_a_bound(monkeypatch, verified):
    monkeypatch.setattr(web_tokens, "MAX_REMEMBERED", 2)
    tokens = verifier()
    signed = [KEY.sign(claims(jti=str(number))) for number in range(3)]
    for token in (*signed, signed[2], signed[1], signed[0]):
        assert await caller(token, tokens) == ALPHA
    assert len(verified) == 4
    assert repr(tokens) == f"WebTokens({ISSUER}, 2 remembered)"


def test_without_an_issuer_there_is_none():
    assert web_tokens.web_tokens(server_settings()) is None
