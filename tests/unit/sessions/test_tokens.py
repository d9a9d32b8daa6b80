"""A token opens for whom it was sealed, for thirty days, and for nobody else."""

import base64

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from service import reload
from service.config.settings import Settings
from service.domain.continuation import Claims
from service.domain.errors import SettingsError
from service.domain.known import Prefix
from service.domain.limits import MAX_CONTINUATION
from service.domain.tenant import Credential
from service.sessions.settings import EndpointSettings
from service.sessions.tokens import MAX_AGE_S, MAX_AHEAD_S, VERSION, Tokens
from service.wire.lifecycle import MAX_ID_CHARACTERS

ONE, TWO = bytes(32), bytes([1]) * 32
CLAIMS = Claims("resp_1", (b"m" * 8,) * 9, Prefix(3, b"w" * 16), Prefix(2, b"r" * 16))
NOW = 1_790_000_000.0


class Wall:
    now = NOW

    def __call__(self) -> float:
        return self.now


def tokens(*keys: bytes, wall=None, **settings) -> Tokens:
    chosen = Settings(continuation_key=keys, **settings)
    return Tokens(chosen.part(EndpointSettings), wall or Wall())


def seal(of: Tokens, claims: Claims = CLAIMS, tenant="a", key=None) -> str:
    return of.seal(claims, tenant, key)


def test_another_replica_with_the_same_key_opens_it():
    assert tokens(ONE).open(seal(tokens(ONE)), "a", None) == CLAIMS


def test_without_a_key_each_process_has_its_own():
    one = tokens()
    assert one.open(seal(one), "a", None) == CLAIMS
    assert tokens().open(seal(one), "a", None) is None


def test_the_first_key_seals_and_all_of_them_open():
    old, both, new = tokens(ONE), tokens(TWO, ONE), tokens(TWO)
    assert both.open(seal(old), "a", None) == CLAIMS
    assert new.open(seal(both), "a", None) == CLAIMS
    assert old.open(seal(both), "a", None) is None
    assert repr(both) == "Tokens(2 keys)"


def test_it_is_bound_to_tenant_key_and_upstream():
    one, key = tokens(ONE), Credential("sk-1")
    token = seal(one, key=key)
    assert one.open(token, "a", key) == CLAIMS
    assert one.open(token, "b", key) is None
    assert one.open(token, "a", None) is None
    assert one.open(token, "a", Credential("sk-2")) is None
    assert tokens(ONE, upstream_url="https://other.example/v1").open(token, "a", key) is None


@pytest.mark.parametrize(
    ("passed_s", "opens"),
    [(0, True), (MAX_AGE_S, True), (MAX_AGE_S + 1, False), (-MAX_AHEAD_S, True), (-MAX_AHEAD_S - 1, False)],
)
def test_it_is_good_for_thirty_days(passed_s, opens):
    wall = Wall()
    one = tokens(ONE, wall=wall)
    token = seal(one)
    wall.now += passed_s
    assert (one.open(token, "a", None) is not None) is opens


def test_each_is_another_and_short_enough_for_a_request():
    one = tokens(ONE)
    longest = msgspec.structs.replace(CLAIMS, response_id="r" * MAX_ID_CHARACTERS)
    assert len({seal(one, longest) for _ in range(10)}) == 10
    assert len(seal(one, longest)) <= MAX_CONTINUATION
    assert len(seal(one)) <= 400


def test_what_does_not_fit_is_no_token():
    assert seal(tokens(ONE), msgspec.structs.replace(CLAIMS, response_id="\u4f60" * 512)) == ""


@pytest.mark.parametrize("token", ["", "x", "\u4f60", "A" * 1024, "AQ", "AQ==", "Ag" + "A" * 60, " ", "A\n"])
def test_what_is_no_token_opens_nothing(token):
    assert tokens(ONE).open(token, "a", None) is None


@pytest.mark.parametrize("claims", [b"", b"\x93\x01\x02\x03", msgspec.msgpack.encode([1, ["resp_1"]])])
def test_sealed_nonsense_opens_nothing(claims):
    """Only a later version of the service could have sealed it."""
    one = tokens(ONE)
    sealed = AESGCMSIV(ONE).encrypt(bytes(12), claims, one._bound_to("a", None))
    token = base64.urlsafe_b64encode(VERSION + bytes(12) + sealed).rstrip(b"=").decode()
    assert one.open(token, "a", None) is None


def test_the_keys_of_a_file_are_read_again(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(base64.b64encode(ONE) + b"\n")
    one = tokens(continuation_key_file=str(path))
    token = seal(one)
    assert tokens(ONE).open(token, "a", None) == CLAIMS
    path.write_bytes(base64.b64encode(TWO) + b"," + base64.b64encode(ONE))
    reload.read_again()
    assert one.open(token, "a", None) == CLAIMS
    assert tokens(TWO).open(seal(one), "a", None) == CLAIMS


@pytest.mark.parametrize("content", [b"", b"\n", b"secret", b"\xff"])
def test_a_bad_file_is_refused_and_not_repeated(tmp_path, content):
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="TRUNKLINE_CONTINUATION_KEY_FILE cannot be used") as caught:
        tokens(continuation_key_file=str(path))
    assert "secret" not in str(caught.value)
