"""However the bytes are divided into reads, the messages are the same, and in order."""

from importlib.metadata import version
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.asyncio.connection import Connection
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from service.transport.frames import SplittingConnection
from service.transport.receive_buffer import (
    FRAGMENT_BYTES,
    HIGH_WATER_BYTES,
    MAX_FRAGMENTS,
    MAX_SMALL_FRAMES,
    MAX_UNREAD_PONGS,
    BufferedConnection,
)
from tests.unit.transport.conftest import more, text

HANDSHAKE = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


class Socket:
    """What the connection needs of its transport."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.reading = True
        self.closing = self.aborted = False

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

    def abort(self) -> None:
        self.closing = self.aborted = True


def opened(*, splitting: bool) -> Any:
    """Return a connection after its handshake. Not `splitting`: the library parses everything."""
    protocol = ClientProtocol(parse_uri("ws://127.0.0.1/"), max_size=2**20)
    protocol.state = State.OPEN
    # The handshake's own parser is never started, so frames are parsed from here on.
    protocol.parser = super(ClientProtocol, protocol).parse()
    next(protocol.parser)
    kind = SplittingConnection if splitting else BufferedConnection
    connection = kind.__new__(kind)
    connection.__dict__.update(transport=Socket(), protocol=protocol, response=object(), debug=False)
    connection.__dict__.update(messages=[], reading=True, on_data=lambda: None, close_deadline=None)
    connection.__dict__.update(
        _waiting_bytes=0, _opcode=None, _fragments=0, _partial=bytearray(), resting=False
    )
    connection.__dict__.update(_small_frames=0, _unread_pongs=0, _stray_bytes=0, _refused=False)
    connection.__dict__.update(paused=False, drain_waiters=[])
    connection.__dict__.update(_splitting=splitting, _header=b"", _owed=0)
    connection.__dict__.update(close_timeout=None, pending_pings={}, heard_at=0.0, alive_at=0.0)
    return connection


def fed(connection: Any, pieces: list[bytes]) -> list[str | bytes]:
    for piece in pieces:
        connection.data_received(piece)
    messages: list[str | bytes] = connection.messages
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
    ours, theirs = opened(splitting=True), opened(splitting=False)
    assert fed(ours, cuts(data, at)) == fed(theirs, [data])
    # Pings were answered alike; the answers' masks are random.
    assert sum(map(len, ours.transport.written)) == sum(map(len, theirs.transport.written))


def test_connections_that_read_into_one_buffer_keep_their_own_messages():
    connections = {word: opened(splitting=True) for word in ("one", "another")}
    for word, connection in connections.items():
        frame = text(word).serialize(mask=False)
        connection.get_buffer(-1)[: len(frame)] = frame
        connection.buffer_updated(len(frame))
    assert {word: connection.messages for word, connection in connections.items()} == {
        "one": ["one"],
        "another": ["another"],
    }


def test_it_is_the_same_byte_by_byte():
    sent = [text("one"), text("x" * 200), Frame(Opcode.PING, b"?"), text("y" * 70_000), text("")]
    data = b"".join(frame.serialize(mask=False) for frame in sent)
    reported = fed(opened(splitting=True), [data[at : at + 1] for at in range(len(data))])
    assert reported == ["one", "x" * 200, "y" * 70_000, ""]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_any_bytes_end_in_the_same_messages_and_the_same_state(data, at):
    ours, theirs = opened(splitting=True), opened(splitting=False)
    pieces = cuts(data, at)
    assert fed(ours, pieces) == fed(theirs, pieces)
    # A plain text whose header is not whole yet is held back; it is no sign of anything.
    assert ours.protocol.state is theirs.protocol.state


@pytest.mark.parametrize("first", [0x81 | 0x40, 0x01, 0x80, 0x83], ids=hex)
def test_what_is_not_plain_is_the_librarys(first):
    data = bytes([first, 2]) + b"{}"
    assert fed(opened(splitting=True), [data]) == fed(opened(splitting=False), [data])


def test_reading_stops_above_the_high_water_mark_and_goes_on_when_all_is_taken():
    connection = opened(splitting=True)
    fed(connection, [text("x" * 60_000).serialize(mask=False)] * 2)
    assert sum(map(len, connection.messages)) > HIGH_WATER_BYTES
    assert not connection.transport.reading
    assert len(connection.take()) == 2
    assert connection.transport.reading


EMPTY = more("", fin=False).serialize(mask=False)


def refusal(connection: Any) -> tuple[int, str]:
    """How the connection closed on its peer."""
    assert connection.protocol.state is State.CLOSING
    assert connection.transport.closing
    return connection.protocol.close_sent.code, connection.protocol.close_sent.reason


@pytest.mark.parametrize("splitting", [True, False])
def test_fragments_without_end_are_refused(splitting):
    connection = opened(splitting=splitting)
    assert fed(connection, [text("", fin=False).serialize(mask=False), *[EMPTY] * MAX_FRAGMENTS]) == []
    assert refusal(connection) == (1008, "more than 1024 fragments of a message")


def test_a_long_message_may_have_more_of_them():
    connection = opened(splitting=True)
    pieces = [more("x" * FRAGMENT_BYTES, fin=False).serialize(mask=False)] * (2 * MAX_FRAGMENTS // 4)
    small = [EMPTY] * (MAX_FRAGMENTS - 1)
    end = more("", fin=True).serialize(mask=False)
    messages = fed(connection, [text("a", fin=False).serialize(mask=False), *pieces, *small, end])
    assert messages == ["a" + "x" * FRAGMENT_BYTES * len(pieces)]


@pytest.mark.parametrize("splitting", [True, False])
@pytest.mark.parametrize("opcode", [Opcode.PING, Opcode.PONG, Opcode.BINARY])
def test_small_frames_by_the_thousand_in_one_read_are_refused(opcode, splitting):
    connection = opened(splitting=splitting)
    flood = Frame(opcode, b"").serialize(mask=False) * 30_000
    fed(connection, [flood[: 2 * MAX_SMALL_FRAMES]])
    assert connection.protocol.state is State.OPEN
    fed(connection, [flood])
    assert refusal(connection) == (1008, "more than 1024 small frames at once")
    assert len(connection.messages) <= 4 * MAX_SMALL_FRAMES
    assert len(b"".join(connection.transport.written)) < 64 * 1024


def test_pings_are_answered_as_long_as_the_answers_are_read():
    connection = opened(splitting=True)
    ping = Frame(Opcode.PING, b"?").serialize(mask=False)
    connection.pause_writing()
    fed(connection, [ping] * MAX_UNREAD_PONGS)
    connection.resume_writing()
    connection.pause_writing()
    fed(connection, [ping] * MAX_UNREAD_PONGS)
    assert connection.protocol.state is State.OPEN
    fed(connection, [ping])
    assert refusal(connection) == (1008, "more than 1024 pings, and no answer to them is read")
    assert connection.transport.aborted


@pytest.mark.parametrize(
    ("sent", "stray"),
    [
        (text("whose?"), True),
        (text("", fin=False), False),
        (text("x" * 30_000, fin=False), True),
        (Frame(Opcode.BINARY, b"x" * 70_000), True),
        (Frame(Opcode.PING, b"x" * 125), False),
        (Frame(Opcode.PONG, b""), False),
    ],
    ids=["text", "fragment", "long fragments", "the beginning of a long one", "ping", "pong"],
)
def test_at_rest_a_message_is_news_when_it_is_complete_or_too_long(sent, stray):
    connection = opened(splitting=True)
    news = []
    connection.on_data, connection.resting = lambda: news.append(1), True
    for _ in range(3):
        connection.data_received(sent.serialize(mask=False)[:32_000])
    assert bool(news) is stray


def test_the_undocumented_parts_of_websockets_are_of_a_known_version():
    """Before the version here is raised: read again what docs/decisions/0031 lists."""
    assert version("websockets") == "17.4"
    assert {"process_event", "send_data", "drain"} <= vars(Connection).keys()
    assert "process_redirect" in vars(connect)
    assert {"close_sent", "close_rcvd", "close_rcvd_then_sent"} <= vars(
        opened(splitting=False).protocol
    ).keys()
