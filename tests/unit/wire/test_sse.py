from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import Reason, TurnError
from service.wire.sse import SseDecoder

STREAM = (
    '\ufeffevent: response.created\ndata: {"a":1}\n\n'
    ": keep-alive\r\n\r\n"
    "data: one\r\ndata: two\r\n\r\n"
    "data:tight\rdata\rdata:  spaced\r\r"
    "id: 7\nretry: 5\nnothing\n\n"
    "data: é € 😀 \u2028 \u2029 \x85 \x0b \x0c \x1c\n\n"
    "data:\n\n"
    "data: [DONE]\n\n"
    "data: last"
).encode()
EVENTS = ['{"a":1}', "one\ntwo", "tight\n\n spaced", "é € 😀 \u2028 \u2029 \x85 \x0b \x0c \x1c", "last"]


def decode(*chunks, **settings):
    decoder = SseDecoder(**settings)
    return [event for chunk in chunks for event in decoder.feed(chunk)] + decoder.close()


def test_whole():
    assert decode(STREAM) == EVENTS


def test_byte_by_byte():
    assert decode(*(bytes([byte]) for byte in STREAM)) == EVENTS


@given(st.sets(st.integers(0, len(STREAM))))
def test_cut_anywhere(cuts):
    places = [0, *sorted(cuts), len(STREAM)]
    assert decode(*(STREAM[one:other] for one, other in pairwise(places))) == EVENTS


@given(st.lists(st.binary(max_size=20)))
def test_any_bytes_mean_the_same_however_they_are_cut(chunks):
    def decoded(*pieces):
        try:
            return decode(*pieces)
        except TurnError as error:
            return error.reason

    whole = b"".join(chunks)
    assert decoded(*chunks) == decoded(whole) == decoded(*(bytes([byte]) for byte in whole))
    assert decoded(whole) is Reason.PROTOCOL_ERROR or isinstance(decoded(whole), list)


line = st.sampled_from([b"data: a", b"data:", b"data", b": c", b"event: x", b"", b"data: \xe2\x82\xac"])


@given(st.lists(st.tuples(line, st.sampled_from([b"\n", b"\r", b"\r\n"]))), st.integers(1, 7))
def test_lines_mean_the_same_whatever_ends_them(lines, size):
    stream = b"".join(text + end for text, end in lines)
    plain = b"".join(text + b"\n" for text, _ in lines)
    pieces = [stream[start : start + size] for start in range(0, len(stream), size)]
    # A lone CR followed by an empty line that ends in LF is one CRLF: only there do the two differ.
    ambiguous = any(one[1] == b"\r" and other == (b"", b"\n") for one, other in pairwise(lines))
    assert ambiguous or decode(*pieces) == decode(plain)


def test_events_come_as_soon_as_they_are_whole():
    decoder = SseDecoder()
    assert decoder.feed(b"data: a\r\n\r") == ["a"]
    assert decoder.feed(b"\n") == []
    assert decoder.feed(b"data: b\n") == []
    assert decoder.feed(b"\n") == ["b"]
    assert decoder.feed(b"") == []
    assert decoder.close() == []


@pytest.mark.parametrize(
    "chunks",
    [
        [b"data: " + b"x" * 100],
        [b"x" * 60, b"x" * 60],
        [b"data: " + b"x" * 40 + b"\n"] * 3,
        [b"data\n" * 200],
    ],
)
def test_it_holds_no_more_than_its_limit(chunks):
    with pytest.raises(TurnError, match="more than 100 bytes") as caught:
        decode(*chunks, limit=100)
    assert caught.value.reason is Reason.PROTOCOL_ERROR


def test_the_limit_is_of_one_event():
    assert decode(*[b"data: " + b"x" * 40 + b"\n\n"] * 10, limit=100) == ["x" * 40] * 10


@pytest.mark.parametrize(
    "data", [b"data: \xff\n\n", b"data: \xe2\x82\n\n", b"data: \xed\xa0\x80\n\n", b"data: \xe2\x82"]
)
def test_invalid_utf_8_is_a_protocol_error(data):
    with pytest.raises(TurnError, match="not UTF-8") as caught:
        decode(data)
    assert caught.value.reason is Reason.PROTOCOL_ERROR
