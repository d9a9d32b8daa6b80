"""What a token claims of a stored response, and how a caller's items are planned with it."""

import base64

import msgspec
import pytest

from service.domain.continuation import _SETTINGS, Claims, parse_continuation_keys
from service.domain.history import Chain, History
from service.domain.known import Known
from service.domain.messages import Item, ReasoningPart, Role, TextPart, UpstreamItemPart
from service.domain.plan import MINIMAL_BASIS, STRICT_BASIS, ContextReason

QUESTION = Item(Role.USER, (TextPart("a"),))
THOUGHT = Item(Role.ASSISTANT, (ReasoningPart("rs_1", ("hm",)),))
OTHER = Item(Role.ASSISTANT, (ReasoningPart("rs_2", ("well",)),))
ANSWER = Item(Role.ASSISTANT, (TextPart("b"),))
SEALED, LATER = (
    Item(Role.ASSISTANT, (UpstreamItemPart("compaction", f'{{"type":"compaction","id":"{name}"}}'),))
    for name in ("cmp_1", "cmp_2")
)
NEXT = Item(Role.USER, (TextPart("c"),))
SETTINGS = {reason: bytes([number]) * 16 for number, reason in enumerate(_SETTINGS)}


def sizes(items) -> list[int]:
    return [10] * len(items)


def claims(*items: Item) -> Claims:
    made = Claims.of(Chain("resp_1", None, SETTINGS, Known().followed_by(items, sizes(items))))
    return msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Claims)


def plan(of: Claims, *items: Item, settings=SETTINGS, basis=MINIMAL_BASIS):
    return of.plan(items, settings, basis, sizes)


@pytest.mark.parametrize(
    ("known", "sent", "size"),
    [
        ((QUESTION, ANSWER), (QUESTION, ANSWER), 20),
        ((QUESTION, THOUGHT, ANSWER), (QUESTION, THOUGHT, ANSWER), 30),
        ((QUESTION, THOUGHT, ANSWER), (QUESTION, ANSWER), 20),
        ((QUESTION, ANSWER, THOUGHT), (QUESTION, ANSWER), 20),
        ((QUESTION, SEALED, ANSWER), (SEALED, ANSWER), 20),
        ((QUESTION, SEALED, ANSWER), (QUESTION, SEALED, ANSWER), 30),
        ((QUESTION, SEALED, THOUGHT, ANSWER), (SEALED, ANSWER), 20),
        ((QUESTION, SEALED, THOUGHT, ANSWER), (QUESTION, ANSWER), 20),
        ((QUESTION, SEALED, ANSWER, LATER, ANSWER), (LATER, ANSWER), 20),
    ],
)
def test_what_follows_is_planned(known, sent, size):
    made, chain = plan(claims(*known), *sent, NEXT)
    assert (made.items, made.previous_response_id) == ((NEXT,), "resp_1")
    assert (made.reason, made.bytes_known) == (ContextReason.CONTINUED, size)
    assert chain is not None
    history = History()
    history.commit(chain, (NEXT, ANSWER), [1, 1], fingerprint=SETTINGS, response_id="resp_2", line_id=None)
    assert history.plan((*sent, NEXT, ANSWER, NEXT), SETTINGS, None).items == (NEXT,)


@pytest.mark.parametrize(
    ("known", "sent", "reason"),
    [
        ((QUESTION, ANSWER), (NEXT, ANSWER, NEXT), ContextReason.HISTORY_EDITED),
        ((QUESTION, ANSWER), (QUESTION,), ContextReason.HISTORY_EDITED),
        ((QUESTION, ANSWER), (QUESTION, ANSWER), ContextReason.EMPTY_SUFFIX),
        ((QUESTION, THOUGHT, ANSWER), (QUESTION, OTHER, ANSWER, NEXT), ContextReason.HISTORY_EDITED),
        ((QUESTION, ANSWER, THOUGHT), (QUESTION, ANSWER, OTHER, NEXT), ContextReason.HISTORY_EDITED),
        ((QUESTION, ANSWER), (QUESTION, THOUGHT, ANSWER, NEXT), ContextReason.HISTORY_EDITED),
        ((QUESTION, THOUGHT, OTHER, ANSWER), (QUESTION, OTHER, ANSWER, NEXT), ContextReason.HISTORY_EDITED),
        ((QUESTION, SEALED, ANSWER), (LATER, ANSWER, NEXT), ContextReason.HISTORY_EDITED),
        ((QUESTION, SEALED, ANSWER), (ANSWER, NEXT), ContextReason.HISTORY_EDITED),
        ((QUESTION, SEALED, ANSWER), (SEALED, NEXT), ContextReason.HISTORY_EDITED),
        ((QUESTION, SEALED, ANSWER, THOUGHT), (SEALED, ANSWER, OTHER, NEXT), ContextReason.HISTORY_EDITED),
    ],
    ids=[
        "edited",
        "shortened",
        "nothing new",
        "changed thought",
        "changed last",
        "new thought",
        "half",
        "another compaction",
        "no compaction",
        "not what followed it",
        "a changed thought after it",
    ],
)
def test_what_does_not_follow_is_sent_in_full(known, sent, reason):
    made, chain = plan(claims(*known), *sent)
    assert (made.items, made.previous_response_id, made.reason, chain) == (sent, "", reason, None)


@pytest.mark.parametrize("reason", _SETTINGS)
def test_a_changed_setting_breaks_it_as_it_breaks_a_chain(reason):
    settings = SETTINGS | {reason: b"changed"}
    made, _ = plan(claims(QUESTION, ANSWER), QUESTION, ANSWER, NEXT, settings=settings)
    assert made.reason is (reason if reason in MINIMAL_BASIS else ContextReason.CONTINUED)
    assert made.changed == (() if reason in MINIMAL_BASIS else (reason,))
    made, _ = plan(claims(QUESTION, ANSWER), QUESTION, NEXT, settings=settings, basis=STRICT_BASIS)
    assert made.reason is reason


def test_the_order_of_the_settings_belongs_to_the_version_of_the_token():
    assert [reason.value.removesuffix("_changed") for reason in _SETTINGS] == [
        "model", "instructions", "tools", "reasoning", "text_format", "store", "truncation",
        "context_management", "extra_body",
    ]  # fmt: skip


KEY = base64.b64encode(bytes(range(32))).decode()


def test_keys_are_separated_by_commas():
    assert parse_continuation_keys("") == ()
    assert parse_continuation_keys(KEY) == (bytes(range(32)),)
    assert parse_continuation_keys(f"{KEY}, {KEY}") == (bytes(range(32)),) * 2


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("secret", "key 1 is not"),
        (f"{KEY},", "key 2 is not"),
        (KEY[:-4], "key 1 is not"),
        (KEY.replace("A", "\u00e4"), "key 1 is not"),
        (",".join([KEY] * 9), "at most 8 keys"),
    ],
)
def test_a_bad_key_is_refused_and_not_repeated(text, what):
    with pytest.raises(ValueError, match=what) as caught:
        parse_continuation_keys(text)
    assert text[:6] not in str(caught.value)


def test_a_token_without_a_compaction_is_read_as_one_was_before():
    old = msgspec.msgpack.encode(msgspec.msgpack.decode(msgspec.msgpack.encode(claims(QUESTION, ANSWER)))[:4])
    assert msgspec.msgpack.decode(old, type=Claims) == claims(QUESTION, ANSWER)
