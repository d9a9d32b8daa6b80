"""One line: what arrives is handed on whole, together and in order, as fast as it is asked for."""

import asyncio
import os
import socket

import pytest
from websockets.frames import Close, CloseCode, Frame, Opcode

from service.domain.errors import Reason, TurnError
from service.transport import connection, handshake
from service.transport.pace import Unpaced
from tests.unit.transport.conftest import PATIENCE_S, more, text, until


async def receive(line, count: int) -> list[str | bytes]:
    """So many messages, in as many reads as it takes."""
    messages: list[str | bytes] = []
    while len(messages) < count:
        messages += await asyncio.wait_for(line.receive(PATIENCE_S), PATIENCE_S)
    return messages


async def failure(line):
    with pytest.raises(TurnError) as caught:
        await asyncio.wait_for(line.receive(PATIENCE_S), PATIENCE_S)
    return caught.value


async def test_what_arrives_in_one_read_is_handed_on_together(line, peer):
    peer.write(text("one"), text("two"), Frame(Opcode.BINARY, b"\x00"), text("three"))
    assert await line.receive(PATIENCE_S) == ["one", "two", b"\x00", "three"]


async def test_the_first_message_is_reported_once_and_a_pong_is_none(line, peer):
    reported = []
    line.on_first_message = lambda: reported.append(line.received_any)
    peer.write(Frame(Opcode.PONG, b""), Frame(Opcode.PING, b"?"))
    await until(lambda: line._connection.heard_at > line.opened_at)
    assert (line.received_any, reported) == (False, [])
    for word in ("one", "two"):
        peer.write(text(word))
        await line.receive(PATIENCE_S)
    assert reported == [True]


async def test_what_is_sent_arrives_as_one_text(line, peer):
    await line.send('{"text": "你好"}'.encode(), PATIENCE_S)
    peer.write(text("heard"))
    await line.receive(PATIENCE_S)
    assert peer.received == ['{"text": "你好"}']


async def test_fragments_make_one_message_though_pings_come_between(line, peer):
    peer.write(text("One ", fin=False), Frame(Opcode.PING, b"?"), more("message ", fin=False))
    peer.write(Frame(Opcode.PONG, b""), more("in three.", fin=True), text("Another."))
    assert await receive(line, 2) == ["One message in three.", "Another."]


async def test_characters_that_are_cut_by_fragments_are_whole_again(line, peer):
    you, good = "你".encode()[:1], "你".encode()[1:]
    peer.write(text(you, fin=False), Frame(Opcode.CONT, good, True))
    assert await line.receive(PATIENCE_S) == ["你"]


async def test_text_that_is_no_utf_8_is_handed_on_as_it_came(line, peer):
    """What is wrong with it is the decoder's to say."""
    peer.write(text(b'{"type": "\xff"}'), text("fine"))
    assert await line.receive(PATIENCE_S) == [b'{"type": "\xff"}', "fine"]


async def test_what_came_before_anyone_asked_waits(line, peer):
    peer.write(text("early"))
    assert await peer.socket.ping() is not None
    await until(lambda: line._connection.messages)
    assert await line.receive(PATIENCE_S) == ["early"]


async def test_a_wait_that_is_cancelled_loses_nothing(line, peer):
    waiting = asyncio.create_task(line.receive(PATIENCE_S))
    await until(lambda: line._waiter is not None)
    waiting.cancel()
    await asyncio.wait([waiting])
    peer.write(text("later"))
    assert await line.receive(PATIENCE_S) == ["later"]


async def test_a_message_far_over_the_librarys_bound_arrives(line, peer):
    """`response.completed` echoes everything, images too."""
    peer.write(text("x" * 5_000_000), text("next"))
    messages = await receive(line, 2)
    assert [len(message) for message in messages] == [5_000_000, 4]


async def test_a_message_over_our_own_bound_ends_the_line(dial, peer, monkeypatch):
    monkeypatch.setattr(handshake, "MAX_MESSAGE_BYTES", 100_000)
    line = await dial()
    peer.write(text("x" * 100_001))
    error = await failure(line)
    assert (error.reason, error.upstream.status) == (Reason.PROTOCOL_ERROR, 1009)
    assert not line.open


async def test_a_reader_who_does_not_keep_up_stops_the_peer(line, peer):
    """A hundred megabytes are not taken in before somebody asks for them; then all of it comes, in order."""
    chunk = "x" * 100_000
    writing = asyncio.create_task(_flood(peer, [f"{number:04d}{chunk}" for number in range(1000)]))
    await until(lambda: not line._connection.reading)
    for _ in range(1000):  # chances to read on
        await asyncio.sleep(0)
    assert sum(map(len, line._connection.messages)) < 2_000_000
    assert not writing.done()
    messages = await receive(line, 1000)
    await writing
    assert [message[:4] for message in messages] == [f"{number:04d}" for number in range(1000)]
    assert line._connection.reading


async def _flood(peer, texts):
    for one in texts:
        await peer.socket.send(one)


async def test_a_line_with_something_unread_is_not_fit(line, peer):
    """Nobody asked for it: whose answer is it?"""
    assert line.healthy
    peer.write(text("whose?"))
    await until(lambda: line._connection.messages)
    assert (line.open, line.healthy) == (True, False)


LIMITS = '{"type":"response.rate_limits.updated","rate_limits":[]}'
DELTA = '{"type":"response.output_text.delta","delta":"x"}'


@pytest.mark.parametrize(
    "frames",
    [
        [text(DELTA)],
        [text(LIMITS), text(DELTA)],
        [text("no JSON")],
        [Frame(Opcode.BINARY, LIMITS.encode())],
        [text('{"type":"error","error":{}}')],
        [Frame(Opcode.CLOSE, Close(1000, "").serialize())],
        [text("x" * 70_000, fin=False)],
        [text("x" * 60_000, fin=False), Frame(Opcode.PING, b""), more("x" * 60_000, fin=False)],
    ],
)
async def test_a_line_at_rest_is_closed_on_a_peer_that_says_that_something_is_wrong(line, peer, frames):
    line.rest()
    assert line.healthy
    peer.write(*frames)
    await asyncio.wait_for(line.closed(), PATIENCE_S)
    assert not line.open


@pytest.mark.parametrize("late", [False, True], ids=["at rest", "before"])
async def test_words_that_concern_nobody_cost_no_line(line, peer, late):
    if not late:
        line.rest()
    peer.write(text(LIMITS), text('{"type":"keep', fin=False), more('alive"}', fin=True), text(LIMITS))
    await until(lambda: len(line._connection.messages) == 3 or line._idle_words.ignored.total() == 3)
    line.rest()
    assert line._idle_words.ignored == {"response.rate_limits.updated": 2, "keepalive": 1}
    assert line.healthy
    await line.send(b"{}", PATIENCE_S)
    peer.write(text("asked"))
    assert await line.receive(PATIENCE_S) == ["asked"]


async def test_a_line_with_an_answer_unread_is_closed_when_it_comes_to_rest(line, peer):
    peer.write(text(DELTA))
    await until(lambda: line._connection.messages)
    line.rest()
    assert not line.open


async def test_a_line_that_is_written_to_is_at_rest_no_more(line, peer):
    line.rest()
    await line.send(b"{}", PATIENCE_S)
    peer.write(text("asked"))
    assert await line.receive(PATIENCE_S) == ["asked"]
    assert line.open


async def test_a_peer_that_says_too_much_at_first_is_not_mute(dial, peer, monkeypatch):
    monkeypatch.setattr(handshake, "MAX_MESSAGE_BYTES", 100_000)
    line = await dial()
    peer.write(text("x" * 100_001))
    assert (await failure(line)).upstream.status == 1009
    assert line.received_any


async def test_what_stands_before_a_close_is_still_received(line, peer):
    peer.write(text("last words"), Frame(Opcode.CLOSE, Close(1011, "tired").serialize()))
    assert await line.receive(PATIENCE_S) == ["last words"]
    error = await failure(line)
    assert (error.reason, error.upstream.status) == (Reason.CONNECTION_LOST, 1011)
    assert "tired" in error.message


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1000, Reason.CONNECTION_LOST),
        (1001, Reason.CONNECTION_LOST),
        (1008, Reason.CLOSED_BY_POLICY),
        (1009, Reason.MESSAGE_TOO_BIG),
        (1012, Reason.CONNECTION_LOST),
    ],
)
async def test_a_close_says_by_its_code_what_it_means(line, peer, code, reason):
    peer.write(Frame(Opcode.CLOSE, Close(code, "").serialize()))
    error = await failure(line)
    assert (error.reason, error.upstream.status) == (reason, code)
    assert (line.open, line.healthy) == (False, False)


async def test_a_close_ends_a_wait_that_runs_already(line, peer):
    waiting = asyncio.create_task(failure(line))
    await until(lambda: line._waiter is not None)
    peer.write(Frame(Opcode.CLOSE, Close(1001, "").serialize()))
    assert (await waiting).upstream.status == 1001


async def test_a_reset_is_a_lost_connection(line, peer):
    peer.reset()
    error = await failure(line)
    assert error.reason is Reason.CONNECTION_LOST
    assert "without a close frame" in error.message


@pytest.mark.parametrize(
    "garbage", [b"\xff\xff\xff\xff\xff\xff", b"\x80\x00", b"\x89\x7e\x01\x00" + b"x" * 256]
)
async def test_bytes_that_are_no_frames_end_the_line(line, peer, garbage):
    """Reserved bits, a continuation of nothing, a ping that is too long."""
    peer.write_raw(garbage)
    error = await failure(line)
    assert (error.reason, error.upstream.status) == (Reason.PROTOCOL_ERROR, 1002)
    await asyncio.wait_for(line.closed(), PATIENCE_S)


async def test_a_closed_line_takes_nothing_more(line, peer):
    peer.reset()
    await failure(line)
    with pytest.raises(TurnError) as caught:
        await line.send(b"{}", PATIENCE_S)
    assert caught.value.reason is Reason.CONNECTION_LOST


async def test_a_line_says_once_that_it_is_gone(line, peer):
    gone: list[object] = []
    line.on_close = gone.append
    peer.reset()
    await asyncio.wait_for(line.closed(), PATIENCE_S)
    line.discard()
    line.close()
    assert gone == [line]


async def test_discard_cuts_the_peer_off_at_once(line, peer):
    """In the middle of its answer, and while we are not even reading."""
    writing = asyncio.create_task(_flood(peer, ["x" * 100_000] * 1000))
    await until(lambda: not line._connection.reading)
    line.discard()
    await asyncio.wait_for(peer.gone.wait(), PATIENCE_S)
    await asyncio.wait([writing])
    assert writing.exception() is not None
    assert peer.socket.close_code == CloseCode.ABNORMAL_CLOSURE
    assert not line.open


@pytest.mark.parametrize(("going_away", "code"), [(False, 1000), (True, 1001)])
async def test_close_says_farewell(line, peer, going_away, code):
    line.close(going_away=going_away)
    assert not line.open
    await asyncio.wait_for(peer.gone.wait(), PATIENCE_S)
    assert peer.socket.close_code == code
    await asyncio.wait_for(line.closed(), PATIENCE_S)


async def test_a_peer_that_takes_nothing_does_not_keep_a_line_from_closing(line, peer, monkeypatch):
    monkeypatch.setattr(connection, "CLOSE_TIMEOUT_S", 0.05)
    peer.stop_reading()
    sending = asyncio.create_task(line.send(b"x" * 50_000_000, PATIENCE_S))
    await until(lambda: line._connection.paused)
    line.close()
    await asyncio.wait_for(line.closed(), PATIENCE_S)
    await asyncio.wait([sending])
    assert peer.received == []


async def test_a_wait_that_runs_out_says_so_and_the_line_is_as_good_as_before(line, peer):
    with pytest.raises(TimeoutError):
        await line.receive(0.01)
    peer.write(text("late"))
    assert await line.receive(PATIENCE_S) == ["late"]


async def test_each_wait_has_its_own_length_though_one_timer_serves_them_all(line, peer):
    """A wait that ended early leaves its timer: the next one may be shorter, or longer."""
    peer.write(text("soon"))
    assert await line.receive(PATIENCE_S) == ["soon"]
    with pytest.raises(TimeoutError):
        await line.receive(0.01)
    waiting = asyncio.create_task(line.receive(PATIENCE_S))
    await until(lambda: line._waiter is not None)
    line._on_alarm()  # set for a wait that is over
    peer.write(text("in time"))
    assert await waiting == ["in time"]


class RecordedPace(Unpaced):
    """A pace that records its calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fds: set[int] = set()

    def throttle(self, fd: int) -> None:
        self.calls.append("throttle")
        self.fds.add(fd)

    def prioritise(self, fd: int) -> bool:
        self.calls.append("prioritise")
        self.fds.add(fd)
        return False


async def test_a_read_that_may_wait_is_throttled_until_the_next_request(dial, peer):
    pace = RecordedPace()
    line = await dial(pace=pace)
    await line.send(b"{}", PATIENCE_S)
    for may_wait in (False, True):
        reading = asyncio.create_task(line.receive(PATIENCE_S, may_wait=may_wait))
        await until(lambda: line._waiter is not None)
        peer.write(text("word"))
        assert await reading == ["word"]
    peer.write(text("here"))
    await until(lambda: line._connection.messages)
    assert await line.receive(PATIENCE_S, may_wait=True) == ["here"]
    await line.send(b"{}", PATIENCE_S)
    assert pace.calls == ["prioritise", "throttle", "prioritise"]
    assert pace.fds == {line._connection.transport.get_extra_info("socket").fileno()}


def hang_up(descriptor):
    with socket.socket(fileno=os.dup(descriptor)) as ended:
        ended.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("act", "is_open"),
    [
        (hang_up, False),
        (lambda descriptor: os.write(descriptor, b"\x88\x02\x03\xe9"), False),
        (lambda descriptor: os.write(descriptor, b"\x89\x00"), True),
        (lambda descriptor: None, True),
    ],
    ids=["end", "close", "ping", "nothing"],
)
async def test_a_line_that_died_while_idle_is_known_before_it_is_written_to(line, peer, act, is_open):
    """What the peer did is with the system, and the loop has not looked yet."""
    act(peer.socket.transport.get_extra_info("socket").fileno())
    assert line.open
    await line.settle()
    assert line.open is is_open
    await line.settle()
