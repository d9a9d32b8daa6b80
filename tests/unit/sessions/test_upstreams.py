"""Which upstreams may serve a turn, and which of them outlive a change of the file."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from service import reload
from service.app import upstreams_of
from service.config.settings import Settings
from service.domain.errors import Reason, TurnError
from service.domain.messages import CompletionRequest
from service.domain.tenant import Caller, Credential
from service.sessions import upstreams as module

A = '[upstreams.a]\nurl = "http://localhost:1/v1"\n'
B = '[upstreams.b]\nurl = "http://localhost:2/v1"\n'
ONE = Caller("one")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "upstreams.toml"


@asynccontextmanager
async def held(file, text):
    file.write_text(text)
    upstreams = upstreams_of(Settings(upstreams_file=str(file)))
    try:
        yield upstreams
    finally:
        await upstreams.close()


def names(choices):
    return [choice.endpoint.settings.name for choice in choices]


async def test_without_a_file_the_only_one_serves_everything():
    upstreams = upstreams_of(Settings())
    (choice,) = upstreams.choices(ONE, "any")
    request = CompletionRequest("s", "any", ())
    assert choice.asked(request) is request
    assert upstreams.choices(Caller("two"), "other") is upstreams.choices(ONE, "any"), "it costs nothing"
    await upstreams.close()


async def test_the_choices_are_those_of_the_routes(file):
    async with held(file, A + 'rename = { "m" = "n" }\n' + B) as upstreams:
        a, b = upstreams.choices(ONE, "m")
        request = CompletionRequest("s", "m", ())
        assert (a.asked(request).model, b.asked(request).model) == ("n", "m")
        assert names(upstreams.choices(ONE, "x")) == ["b"]
        states = ("idle", "leased", "dialing")
        assert upstreams.counts() == {(name, state): 0 for name in ("a", "b") for state in states}


async def test_a_key_goes_only_to_those_that_may_have_it(file):
    async with held(file, A + B + "caller_keys = true\n") as upstreams:
        theirs = Caller("one", key=Credential("k"))
        assert names(upstreams.choices(theirs, "m")) == ["b"]
        assert names(upstreams.choices(ONE, "m")) == ["a"], "b has no key of its own"


@pytest.mark.parametrize(
    ("text", "caller", "reason"),
    [
        (A + 'models = ["x"]\n', ONE, Reason.INVALID_REQUEST),
        (A, Caller("one", key=Credential("k")), Reason.INVALID_REQUEST),
        (A + "caller_keys = true\n", ONE, Reason.UNAUTHENTICATED),
    ],
)
async def test_where_nobody_serves_it_the_error_says_what_is_missing(file, text, caller, reason):
    async with held(file, text) as upstreams:
        with pytest.raises(TurnError) as caught:
            upstreams.choices(caller, "m")
    assert caught.value.reason is reason
    assert [violation.field for violation in caught.value.violations] == (
        ["model"] if reason is Reason.INVALID_REQUEST else []
    )


async def test_what_the_file_does_not_change_is_kept_with_its_lines(file):
    async with held(file, A + B) as upstreams:
        a, b = upstreams
        file.write_text(A + 'models = ["m"]\n' + B + "max_age_s = 60\n")
        reload.read_again()
        assert names(upstreams.choices(ONE, "m")) == ["a", "b"]
        first, second = upstreams
        assert first is a
        assert second is not b


async def test_one_that_left_is_closed_once_no_turn_uses_it(file, monkeypatch):
    monkeypatch.setattr(module, "RETIRED_S", 0.0)
    async with held(file, A + B) as upstreams:
        _, b = upstreams
        running = SimpleNamespace(endpoint=b)
        file.write_text(A)
        reload.read_again()
        await upstreams.tidy([running])
        assert not b.upstream._http.is_closed
        await upstreams.tidy([])
        assert b.upstream._http.is_closed
        assert names(upstreams.choices(ONE, "m")) == ["a"]


async def test_a_turn_that_has_just_chosen_one_that_leaves_may_still_use_it(file):
    async with held(file, A + B) as upstreams:
        _, b = upstreams
        file.write_text(A)
        reload.read_again()
        await upstreams.tidy([])
        await asyncio.sleep(0)
        assert not b.upstream._http.is_closed
    assert b.upstream._http.is_closed
