import pytest

from service.domain.errors import Reason, TurnError
from service.domain.tenant import Caller, Credential, Rates, parse_key


@pytest.mark.parametrize(
    ("models", "model", "allowed"),
    [
        (None, "anything", True),
        (("one",), "one", True),
        (("one",), "one-more", False),
        (("one",), "One", False),
        (("one",), "", False),
        (("one*",), "one", True),
        (("one*",), "one-more", True),
        (("one*",), "on", False),
        (("*",), "anything", True),
        (("one", "two*"), "two-b", True),
        (("a.c",), "abc", False),
    ],
)
def test_allowed_models(models, model, allowed):
    caller = Caller("alpha", models=models)
    if allowed:
        caller.check_model(model)
        return
    with pytest.raises(TurnError, match="tenant 'alpha' may not use the model") as caught:
        caller.check_model(model)
    assert caught.value.reason is Reason.PERMISSION_DENIED


def test_a_name_without_end_is_not_repeated():
    with pytest.raises(TurnError) as caught:
        Caller(models=("one",)).check_model("x" * 10_000)
    assert len(caught.value.message) < 300


def test_a_credential_shows_nothing_and_is_distinguished():
    assert "s3cret" not in repr(Caller(key=Credential("s3cret")))
    assert Credential("a") == Credential("a") != Credential("b")


@pytest.mark.parametrize("text", ["sk-1=", "!~", ""])
def test_a_key_is_printable_ascii(text):
    assert parse_key(text) == text


@pytest.mark.parametrize("text", ["s3cret with spaces", "s3cret\n", "s3cret\u00e9", "s3cret\x7f"])
def test_a_refused_key_is_not_repeated(text):
    with pytest.raises(ValueError, match="must be printable ASCII") as caught:
        parse_key(text)
    assert "s3cret" not in str(caught.value)


def test_a_tenant_may_have_a_limit_of_size():
    Caller("a").check_size(10**9)
    caller = Caller("a", max_request_bytes=10)
    caller.check_size(10)
    with pytest.raises(
        TurnError, match=r"has 11 bytes; at most 10 are allowed .*max_request_bytes"
    ) as caught:
        caller.check_size(11)
    assert caught.value.reason is Reason.INVALID_REQUEST


def test_limits_of_its_own_come_before_others():
    assert Rates(1, None, 3).or_else(Rates(4, 5, None)) == Rates(1, 5, 3)


def test_limits_of_nothing_are_none():
    assert Rates().or_none() is None
    assert Rates(tokens_per_day=1).or_none() == Rates(tokens_per_day=1)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (None, None, None),
        (("a",), None, ("a",)),
        (None, ("a",), ("a",)),
        (("a*",), ("ab*", "abc", "b"), ("ab*", "abc")),
        (("ab*", "abc"), ("a*",), ("ab*", "abc")),
        (("a",), ("b",), ()),
        (("a", "a*"), ("a",), ("a",)),
        ((), ("a",), ()),
        (("*",), ("a*",), ("a*",)),
    ],
)
def test_models_of_two_are_those_that_both_allow(one, other, both):
    assert Caller("a", models=one).narrowed(Caller("b", models=other)).models == both


def test_limits_of_two_are_the_lower_ones():
    own = Caller("a", max_turns=1, max_sessions=2, key=Credential("k"), rates=Rates(1, 5), has_peers=True)
    other = Caller(
        "b", max_turns=2, max_sessions=1, max_request_bytes=3, max_connections=4, rates=Rates(2, 3, 4)
    )
    both = own.narrowed(other)
    assert both == Caller("a", 1, 1, None, own.key, 3, 4, Rates(1, 3, 4))
    assert both.has_peers
    assert Caller("a").narrowed(Caller("b")) == Caller("a")
