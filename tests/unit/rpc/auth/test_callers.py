from contextvars import Context

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.tenant import Caller, Rates
from service.rpc.auth.callers import CALLER, Callers
from tests.parts import server_settings

CALLERS = Callers(server_settings(auth_tokens=(("s3cret-one", "one"), ("s3cret-two=", "two"))))


@pytest.mark.parametrize(
    ("authorization", "tenant"),
    [
        ("Bearer s3cret-one", "one"),
        ("bearer s3cret-two=", "two"),
        (b"Bearer s3cret-one", "one"),
        ("Bearer  s3cret-one ", "one"),
    ],
    ids=["plain", "lower case", "bytes", "spaces"],
)
async def test_a_known_token_is_its_tenant(authorization, tenant):
    assert await CALLERS.caller((("x", "y"), ("authorization", authorization))) == Caller(tenant)


REFUSED = {
    "nothing": (),
    "empty": (("authorization", ""),),
    "no token": (("authorization", "Bearer"),),
    "an empty token": (("authorization", "Bearer "),),
    "another scheme": (("authorization", "Basic s3cret-one"),),
    "no scheme": (("authorization", "s3cret-one"),),
    "an unknown token": (("authorization", "Bearer s3cret-on"),),
    "a longer token": (("authorization", "Bearer s3cret-one1"),),
    "the token of another case": (("authorization", "Bearer S3CRET-ONE"),),
    "a tenant instead of a token": (("authorization", "Bearer one"),),
    "two headers": (("authorization", "Bearer s3cret-one"), ("authorization", "Bearer s3cret-one")),
    "another header": (("x-authorization", "Bearer s3cret-one"),),
}


@pytest.mark.parametrize("metadata", REFUSED.values(), ids=REFUSED.keys())
async def test_refused(metadata):
    with pytest.raises(TurnError) as caught:
        await CALLERS.caller(metadata)
    assert caught.value.reason is Reason.UNAUTHENTICATED
    assert "s3cret" not in caught.value.message


async def test_without_tokens_all_callers_are_one_tenant():
    assert await Callers(server_settings()).caller((("authorization", "Bearer anything"),)) == Caller()


async def test_without_tokens_they_have_the_limits_of_all():
    caller = await Callers(server_settings(tokens_per_day=7)).caller(())
    assert caller == Caller(rates=Rates(tokens_per_day=7))


def test_tokens_are_not_shown():
    assert repr(CALLERS) == "Callers(Tenants(2 tokens, 0 certificates))"


def test_the_caller_has_no_default():
    with pytest.raises(LookupError):
        Context().run(CALLER.get)  # in which no other test has set one
