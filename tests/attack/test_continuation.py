"""Tokens that were forged, stolen, cut, old or meant for another conversation: none is accepted, and no
tenant's turn ever names another tenant's response to the upstream.
"""

import base64
import itertools
import random
from collections.abc import AsyncIterator, Iterator

import pytest

from service.config.settings import Settings
from service.domain.continuation import Claims
from service.domain.known import Prefix
from service.domain.limits import MAX_CONTINUATION
from service.domain.tenant import Credential
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.sessions.settings import EndpointSettings
from service.sessions.tokens import MAX_AGE_S, MAX_AHEAD_S, NONCE_BYTES, Tokens
from tests.integration.service.talk import Talk, context, failed
from tests.stack import Stack, stack, user

KEY = base64.b64encode(b"k" * 32).decode()
SETTINGS = {
    "AUTH_TOKENS": "alpha-0123456789=alpha,beta-0123456789=beta",
    "CALLER_KEYS": "1",
    "CONTINUATION_KEY": KEY,
}
STORED = {"store": True}
BY_SSE = {"store": True, "transport": pb.TRANSPORT_SSE}
NOW = 1_790_000_000.0
CLAIMS = Claims("resp_1", (b"m" * 8,) * 9, Prefix(2, b"w" * 16), Prefix(2, b"w" * 16))


_sessions = itertools.count()


def who(tenant: str, key: str = "") -> tuple[tuple[str, str], ...]:
    paid = (("x-upstream-key", key),) if key else ()
    return (("authorization", f"Bearer {tenant}-0123456789"), *paid)


ALPHA, BETA = who("alpha"), who("beta")


class Victim:
    """A stored conversation of alpha, and the token that continues it."""

    def __init__(self, replica: Stack) -> None:
        self.replica = replica
        self.talk = Talk(replica, "victim", options=STORED)
        self.token = self.response_id = ""

    async def begin(self, text="My secret is heron.") -> None:
        self.talk.messages.append(user(text))
        done = await self.replica.done(self.talk.request(), metadata=ALPHA)
        self.talk.messages.append(done.message)
        self.token, self.response_id = done.continuation, done.report.response_id
        assert self.token

    async def use(self, token: str, metadata=ALPHA, replica: Stack | None = None, **fields) -> str:
        """One turn with the token in a new session; the reason why it was full, or `accepted`."""
        replica = replica or self.replica
        asked = Talk(replica, f"a{next(_sessions)}", options=fields.pop("options", STORED))
        asked.messages = [*fields.pop("messages", self.talk.messages), user("And what is it?")]
        done = await replica.done(asked.request(continuation=token, **fields), metadata=metadata)
        incremental, reason = context(done)
        named = replica.simulator.requests[-1].previous_response_id
        assert named in ((self.response_id,) if incremental else (None,))
        return "accepted" if incremental else reason


@pytest.fixture
async def victim() -> AsyncIterator[Victim]:
    async with stack(SETTINGS) as replica:
        one = Victim(replica)
        await one.begin()
        yield one


def raw_of(token: str) -> bytes:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


def text_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def flipped(raw: bytes, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize("options", [STORED, BY_SSE], ids=["websocket", "sse"])
async def test_the_token_works_for_whom_it_is_in_any_session(victim, options):
    """Otherwise the attacks below would show nothing."""
    assert await victim.use(victim.token, options=options) == "accepted"


async def test_a_flipped_bit_in_any_byte_is_refused(victim):
    raw = raw_of(victim.token)
    tokens = [text_of(flipped(raw, 8 * index + index % 8)) for index in range(len(raw))]
    assert {await victim.use(token) for token in tokens} == {"token_refused"}


async def test_a_token_cut_or_made_longer_is_refused(victim):
    token = victim.token
    cut = [token[:size] for size in (1, 2, 16, 17, 22, 38, 39, len(token) // 2, len(token) - 1)]
    longer = [token + "A", token + "=", token + "AAAA", token[4:], token * 2]
    fitting = [one for one in [*cut, *longer] if len(one) <= MAX_CONTINUATION]
    assert {await victim.use(one) for one in fitting} == {"token_refused"}


@pytest.mark.parametrize(
    "token", ["x", "\u4f60\u597d", "null", "{}", "' OR 1=1", " ", "=", "A" * MAX_CONTINUATION]
)
async def test_what_is_no_token_is_refused(victim, token):
    assert await victim.use(token) == "token_refused"


async def test_a_giant_is_refused_as_a_field_of_the_request(victim):
    request = victim.talk.request(continuation="A" * (MAX_CONTINUATION + 1))
    failure = await failed(victim.replica.done(request, metadata=ALPHA))
    assert failure.fields == ["continuation"]


async def test_another_tenant_gets_nothing_by_it(victim):
    """With all of the conversation, the same session id and the token."""
    assert await victim.use(victim.token, BETA) == "token_refused"
    asked = victim.talk.request(continuation=victim.token)
    asked.messages.append(user("And?"))
    done = await victim.replica.done(asked, metadata=BETA)
    assert context(done) == (False, "token_refused")
    assert victim.replica.simulator.requests[-1].previous_response_id is None


async def test_another_key_gets_nothing_by_it(victim):
    assert await victim.use(victim.token, who("alpha", "sk-1")) == "token_refused"
    request = Talk(victim.replica, "paid", options=STORED)
    request.messages = [user("Hello.")]
    done = await victim.replica.done(request.request(), metadata=who("alpha", "sk-1"))
    messages = [*request.messages, done.message]
    assert await victim.use(done.continuation, who("alpha", "sk-2"), messages=messages) == "token_refused"
    assert await victim.use(done.continuation, ALPHA, messages=messages) == "token_refused"


async def test_another_upstream_hears_nothing_of_it(victim):
    async with stack(SETTINGS) as elsewhere:
        assert await victim.use(victim.token, replica=elsewhere) == "token_refused"


async def test_a_replica_with_another_key_takes_it_for_nothing(victim):
    url = victim.replica.simulator.url
    other = base64.b64encode(b"o" * 32).decode()
    async with stack(SETTINGS | {"UPSTREAM_URL": url, "CONTINUATION_KEY": other}) as replica:
        replica.simulator = victim.replica.simulator
        assert await victim.use(victim.token, replica=replica) == "token_refused"


async def test_another_model_or_history_breaks_it_as_it_breaks_a_chain(victim):
    assert await victim.use(victim.token, model="simulated-2") == "model_changed"
    assert await victim.use(victim.token, options={}) == "store_changed"
    first, answer = victim.talk.messages
    for messages in ([user("Guess."), answer], [answer, first], [first], [], [first, user("x"), answer]):
        assert await victim.use(victim.token, messages=messages) == "history_edited"


async def test_parts_of_two_tokens_make_none(victim):
    other = Victim(victim.replica)
    await other.begin("Another conversation.")
    one, two = raw_of(victim.token), raw_of(other.token)
    head = 1 + NONCE_BYTES
    spliced = [one[:size] + two[size:] for size in (5, head, head + 16, len(one) // 2, len(one) - 16)]
    for raw in (*spliced, one[:head] + one[head + 1 :], two[:head] + one[head:]):
        assert await victim.use(text_of(raw)) == "token_refused"
    assert await victim.use(other.token) == "history_edited"
    assert await other.use(victim.token) == "history_edited"


# --- every bit, and time: without the service around it -----------------------------------------------------


def tokens(moment: float = NOW) -> Tokens:
    return Tokens(Settings(continuation_key=(b"k" * 32,)).part(EndpointSettings), lambda: moment)


def forgeries(raw: bytes) -> Iterator[str]:
    chance = random.Random(7)
    yield from (text_of(flipped(raw, bit)) for bit in range(8 * len(raw)))
    yield from (text_of(raw[:size]) for size in range(len(raw)))
    yield from (text_of(raw[size:]) for size in range(1, len(raw)))
    yield from (text_of(raw[:1] + chance.randbytes(len(raw) - 1)) for _ in range(10_000))
    yield from (text_of(chance.randbytes(chance.randrange(700))) for _ in range(10_000))


def test_of_all_forgeries_none_is_accepted():
    one = tokens()
    token = one.seal(CLAIMS, "alpha", None)
    assert one.open(token, "alpha", None) == CLAIMS
    assert not [forged for forged in forgeries(raw_of(token)) if one.open(forged, "alpha", None)]


def test_no_other_way_to_write_a_token_is_accepted():
    """One character changed: also bits that base64 has no use for, spaces, and the other alphabet."""
    one = tokens()
    token = one.seal(CLAIMS, "alpha", None)
    for index, character in itertools.product(range(len(token)), "AB_-+/= \n\x00"):
        written = token[:index] + character + token[index + 1 :]
        assert written == token or one.open(written, "alpha", None) is None
        assert one.open(token[:index] + character + token[index:], "alpha", None) is None


@pytest.mark.parametrize(
    ("tenant", "key"),
    [("beta", None), ("", None), ("alph", None), ("alpha\x00", None), ("alpha", Credential("sk-1"))],
)
def test_nobody_else_opens_it(tenant, key):
    assert tokens().open(tokens().seal(CLAIMS, "alpha", None), tenant, key) is None


@pytest.mark.parametrize("apart_s", [MAX_AGE_S + 1, 10 * MAX_AGE_S, -MAX_AHEAD_S - 1, -MAX_AGE_S])
def test_old_ones_and_those_of_the_future_are_refused(apart_s):
    assert tokens(NOW + apart_s).open(tokens().seal(CLAIMS, "alpha", None), "alpha", None) is None
