"""Keys: which are taken, how they are renewed, and what happens when they cannot be."""

import asyncio
import json
import logging

import pytest

from service import reload
from service.domain.errors import SettingsError
from service.rpc.auth.jwks import INTERVAL_S, MAX_BYTES, MAX_KEYS, REFRESH_S, KeyFile, KeyUrl, parse
from tests.integration.auth.issuer import Key, document

ALGORITHMS = ("RS256", "ES256", "EdDSA")
ONE, TWO = Key("one"), Key("two", "EdDSA")


def test_a_key_is_found_by_its_id():
    keys = parse(document(ONE, TWO, Key("three", "RS256")), ALGORITHMS)
    assert repr(keys) == "KeySet(3 keys)"
    assert (found := keys.find("two")) is not None
    assert (found.key_id, found.algorithm_name) == ("two", "EdDSA")
    assert keys.find("four") is keys.find(None) is None


def test_without_an_id_the_only_key_is_meant():
    assert parse(document(Key(None)), ALGORITHMS).find(None) is not None
    assert parse(document(ONE), ALGORITHMS).find(None) is not None


USELESS = {
    "another use": ONE.jwk() | {"kid": "x", "use": "enc"},
    "another algorithm": ONE.jwk() | {"kid": "x", "alg": "ES384"},
    "an unknown kind": {"kty": "XY", "kid": "x"},
    "an unknown curve": ONE.jwk() | {"kid": "x", "crv": "P-1"},
    "no point of the curve": ONE.jwk() | {"kid": "x", "x": "AAAA"},
    "no kind": {"kid": "x"},
    "an id that is no text": ONE.jwk() | {"kid": 7},
    "fields of other types": {"kty": "EC", "crv": "P-256", "kid": "x", "x": 1, "y": []},
}


@pytest.mark.parametrize("jwk", USELESS.values(), ids=USELESS)
def test_a_key_of_no_use_is_left_out(jwk):
    data = json.dumps({"keys": [jwk, ONE.jwk()], "more": 1}).encode()
    assert len(parse(data, ALGORITHMS)) == 1


BROKEN = {
    "nothing": b"",
    "no JSON": b"{",
    "not UTF-8": b'{"keys": ["\xff"]}',
    "a list": b"[]",
    "no keys": b"{}",
    "keys that are no objects": b'{"keys": [1]}',
    "deep": b'{"keys": ' + b"[" * 100_000,
    "an empty list": b'{"keys": []}',
    "nothing of use": json.dumps({"keys": [USELESS["another use"]]}).encode(),
    "a private key": json.dumps({"keys": [ONE.jwk(private=True)]}).encode(),
    "a secret": b'{"keys": [{"kty": "oct", "k": "czNjcmV0", "kid": "x"}]}',
    "an id twice": json.dumps({"keys": [ONE.jwk(), ONE.jwk()]}).encode(),
    "too many": json.dumps({"keys": [ONE.jwk()] * (MAX_KEYS + 1)}).encode(),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_document_is_refused_in_words(data):
    with pytest.raises(ValueError, match=r"^the document (is|has|holds) ") as caught:
        parse(data, ALGORITHMS)
    assert "czNjcmV0" not in str(caught.value)


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(reload, "CHECK_EVERY_S", 0.0)
    monkeypatch.setattr(reload, "SETTLED_S", 0.0)


@pytest.mark.usefixtures("at_once")
async def test_a_file_is_read_again(tmp_path):
    path = tmp_path / "jwks.json"
    path.write_bytes(document(ONE))
    keys = KeyFile(str(path), ALGORITHMS)
    keys.start()
    assert keys.current() is await keys.renewed()
    path.write_bytes(document(TWO))
    assert keys.current().find("two") is not None
    path.write_bytes(b"{")
    assert keys.current().find("two") is not None
    assert repr(keys) == "KeyFile(KeySet(1 keys))"
    await keys.close()


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"{", ": the document is no JSON"), (b" " * (MAX_BYTES + 1), " is larger than 256 KiB")],
    ids=["broken", "large"],
)
def test_a_broken_file_names_variable_and_path(tmp_path, data, says):
    path = tmp_path / "jwks.json"
    path.write_bytes(data)
    with pytest.raises(SettingsError, match=f"TRUNKLINE_JWT_JWKS cannot be used: {path}{says}") as caught:
        KeyFile(str(path), ALGORITHMS)
    assert str(caught.value).count(str(path)) == 1


class Served:
    """What a URL serves: a document, or an error; with `gate` closed it hangs."""

    def __init__(self, *keys):
        self.answer: object = document(*keys)
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = 0

    async def fetch(self):
        self.asked += 1
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def served():
    return Served(ONE)


@pytest.fixture
async def keys(served, clock):
    keys = KeyUrl(served.fetch, ALGORITHMS, clock)
    yield keys
    served.gate.set()
    await keys.close()


async def test_before_the_first_answer_there_is_no_key_and_a_call_waits_for_it(keys, served):
    served.gate.clear()
    keys.start()
    assert not keys.current()
    waiting = [asyncio.create_task(keys.renewed()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting.pop().cancel()
    await asyncio.sleep(0)
    served.gate.set()
    assert [len(found) for found in await asyncio.gather(*waiting)] == [1, 1]
    assert served.asked == 1
    assert repr(keys) == "KeyUrl(KeySet(1 keys))"


async def test_an_unknown_key_is_asked_for_once_an_interval(keys, served, clock):
    assert (await keys.renewed()).find("two") is None
    served.answer = document(ONE, TWO)
    for _ in range(100):
        clock.now += INTERVAL_S / 101
        assert (await keys.renewed()).find("two") is None
    assert served.asked == 1
    clock.now += INTERVAL_S / 50
    assert (await keys.renewed()).find("two") is not None
    assert served.asked == 2


async def test_old_keys_are_renewed_while_nobody_waits(keys, served, clock):
    before = await keys.renewed()
    served.answer = document(TWO)
    clock.now += REFRESH_S
    assert keys.current() is before, "no call waits"
    assert (await keys.renewed()).find("one") is None, "a key that is removed is gone"
    assert served.asked == 2


async def test_the_same_document_leaves_the_same_keys(keys, served, clock):
    before = await keys.renewed()
    clock.now += INTERVAL_S
    assert await keys.renewed() is before
    assert served.asked == 2


@pytest.mark.parametrize("answer", [ValueError("it is away"), b"{", b'{"keys": []}'], ids=str)
async def test_what_cannot_be_read_leaves_the_old_keys_and_is_reported_once(
    keys, served, clock, caplog, answer
):
    before = await keys.renewed()
    served.answer = answer
    for _ in range(3):
        clock.now += INTERVAL_S
        assert await keys.renewed() is before
    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert record.getMessage().startswith("TRUNKLINE_JWT_JWKS is broken, the 1 keys from before hold: ")
    served.answer = document(TWO)
    clock.now += INTERVAL_S
    assert (await keys.renewed()).find("two") is not None


async def test_closing_stops_a_fetch_that_hangs(keys, served):
    served.gate.clear()
    keys.start()
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await keys.close()
    assert not keys.current()
