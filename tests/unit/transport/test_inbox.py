"""However the bytes are cut, the messages are the same, and in order."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from service.transport.inbox import HIGH_WATER_BYTES, Inbox
from tests.unit.transport.conftest import more, text

HANDSHAKE = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


class Socket:
    """What the inbox needs of its transport."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.reading = True
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def can_write_eof(self) -> bool:
        return False

    def close(self) -> None:
        self.closing = True


def opened(*, cutting: bool) -> Any:
    """Behind its handshake. Not `cutting`: every byte goes through the library, as a check on us."""
    protocol = ClientProtocol(parse_uri("ws://127.0.0.1/"), max_size=2**20)
    protocol.state = State.OPEN
    # The handshake's own parser is never started, so frames are parsed from here on.
    protocol.parser = super(ClientProtocol, protocol).parse()
    next(protocol.parser)
    inbox = Inbox.__new__(Inbox)
    inbox.__dict__.update(transport=Socket(), protocol=protocol, response=object(), debug=False)
    inbox.__dict__.update(messages=[], reading=True, on_data=lambda: None, close_deadline=None)
    inbox.__dict__.update(_waiting_bytes=0, _opcode=None, _fragments=0, _whole=bytearray(), resting=False)
    inbox.__dict__.update(_small_frames=0, _unread_pongs=0, _stray_bytes=0, _refused=False, paused=False)
    inbox.__dict__.update(_cutting=cutting, _header=b"", _owed=0)
    inbox.__dict__.update(close_timeout=None, pending_pings={}, heard_at=0.0)
    return inbox


def fed(inbox: Any, pieces: list[bytes]) -> list[str | bytes]:
    for piece in pieces:
        inbox.data_received(piece)
    messages: list[str | bytes] = inbox.messages
    return messages


payloads = st.one_of(
    st.text(max_size=40),
    st.integers(120, 130).map(lambda length: "x" * length),
    st.integers(65_530, 65_540).map(lambda length: "y" * length),
    st.just(b"\xff no text"),
)
frames = st.one_of(
    payloads.map(lambda payload: [text(payload)]),
    st.binary(max_size=20).map(lambda payload: [Frame(Opcode.BINARY, payload)]),
    st.binary(max_size=20).map(lambda payload: [Frame(Opcode.PING, payload)]),
    st.tuples(st.text(max_size=9), st.text(max_size=9)).map(
        lambda halves: [text(halves[0], fin=False), Frame(Opcode.PONG, b""), more(halves[1], fin=True)]
    ),
)


def cuts(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, *(place % (len(data) + 1) for place in at), len(data)})
    return [data[a:b] for a, b in pairwise(places)]


@given(st.lists(frames, max_size=8), st.lists(st.integers(0, 2**20), max_size=12))
def test_it_is_what_the_library_makes_of_it(groups, at):
    data = b"".join(frame.serialize(mask=False) for group in groups for frame in group)
    ours, theirs = opened(cutting=True), opened(cutting=False)
    assert fed(ours, cuts(data, at)) == fed(theirs, [data])
    # Pings were answered alike; the answers' masks are random.
    assert sum(map(len, ours.transport.written)) == sum(map(len, theirs.transport.written))


def test_it_is_the_same_byte_by_byte():
    sent = [text("one"), text("x" * 200), Frame(Opcode.PING, b"?"), text("y" * 70_000), text("")]
    data = b"".join(frame.serialize(mask=False) for frame in sent)
    told = fed(opened(cutting=True), [data[at : at + 1] for at in range(len(data))])
    assert told == ["one", "x" * 200, "y" * 70_000, ""]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_any_bytes_end_in_the_same_messages_and_the_same_state(data, at):
    ours, theirs = opened(cutting=True), opened(cutting=False)
    pieces = cuts(data, at)
    assert fed(ours, pieces) == fed(theirs, pieces)
    # A plain text whose header is not whole yet is held back; it is no sign of anything.
    assert ours.protocol.state is theirs.protocol.state


@pytest.mark.parametrize("first", [0x81 | 0x40, 0x01, 0x80, 0x83], ids=hex)
def test_what_is_not_plain_is_the_librarys(first):
    data = bytes([first, 2]) + b"{}"
    assert fed(opened(cutting=True), [data]) == fed(opened(cutting=False), [data])


def test_reading_stops_above_the_high_water_mark_and_goes_on_when_all_is_taken():
    inbox = opened(cutting=True)
    fed(inbox, [text("x" * 60_000).serialize(mask=False)] * 2)
    assert sum(map(len, inbox.messages)) > HIGH_WATER_BYTES
    assert not inbox.transport.reading
    assert len(inbox.take()) == 2
    assert inbox.transport.reading
