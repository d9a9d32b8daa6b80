"""Whether the peer still lives: asked when it is silent, judged only while somebody would hear the answer."""

import asyncio

import pytest

from service.domain.errors import Reason, TurnError
from service.transport import connection, receive_buffer
from tests.unit.transport.conftest import PATIENCE_S, text, until


@pytest.fixture
def clock(clock, monkeypatch):
    """Time that stands still until a test moves it. What follows of it is asked for by hand."""
    monkeypatch.setattr(connection, "now", clock)
    monkeypatch.setattr(receive_buffer, "now", clock)
    return clock


@pytest.fixture
async def line(clock, dial):
    line = await dial(ping_interval_s=20.0, ping_timeout_s=10.0, expires_at=clock.now + 3600)
    line._timer.cancel()
    return line


def keep_alive(line):
    """What its timer does. Returns in how many seconds it will look again."""
    line._timer.cancel()
    line._keep_alive()
    return line._timer.when() - asyncio.get_running_loop().time()


async def heard(line, clock) -> None:
    """Waits until something came in at this hour of the clock."""
    await until(lambda: line._connection.heard_at == clock.now)


async def test_a_peer_that_answers_pings_lives(line, clock):
    for _ in range(5):
        clock.now += 20
        assert keep_alive(line) == pytest.approx(10, abs=5)
        assert line.healthy, "a ping that was just sent says nothing yet"
        clock.now += 2  # the pong takes its time
        assert not line.healthy
        assert not line.expired
        await heard(line, clock)
        assert line.healthy
        clock.now += 8
        assert keep_alive(line) == pytest.approx(11, abs=5)
    assert line.healthy


async def test_a_timeout_longer_than_the_interval_delays_neither_ping_nor_verdict(dial, clock, peer):
    line = await dial(ping_interval_s=20.0, ping_timeout_s=50.0, expires_at=clock.now + 3600)
    clock.now += 20
    assert keep_alive(line) == pytest.approx(20, abs=5)
    clock.now += 1
    await heard(line, clock)
    peer.stop_reading()
    clock.now += 20
    assert keep_alive(line) == pytest.approx(20, abs=5), "pinged again: the first was answered"
    for again_in_s in (20, 10):
        clock.now += 20
        assert keep_alive(line) == pytest.approx(again_in_s, abs=5)
        assert line.open
    clock.now += 10
    line._keep_alive()
    assert not line.open


async def test_a_peer_is_not_judged_before_the_next_poll(line, clock, peer):
    peer.stop_reading()
    clock.now += 20
    keep_alive(line)
    clock.now += 10
    throttled = iter([True, False])
    line._pace.prioritise = lambda _fd: next(throttled)
    assert keep_alive(line) == pytest.approx(0, abs=0.5)
    assert line.open
    line._keep_alive()
    assert not line.open


async def test_a_peer_that_answers_nothing_is_dead(line, clock, peer):
    peer.stop_reading()
    gone: list[object] = []
    line.on_close = gone.append
    clock.now += 20
    keep_alive(line)
    assert line.open
    clock.now += 2
    assert not line.healthy, "under suspicion, it carries no turn"
    clock.now += 8
    line._keep_alive()
    with pytest.raises(TurnError) as caught:
        await asyncio.wait_for(line.receive(PATIENCE_S), PATIENCE_S)
    assert caught.value.reason is Reason.CONNECTION_LOST
    assert "answered no ping" in caught.value.message
    await asyncio.wait_for(line.closed(), PATIENCE_S)
    assert gone == [line]


async def test_whatever_comes_in_is_life(line, clock, peer):
    """Pings unanswered, but an answer that goes on coming."""
    peer.stop_reading()
    clock.now += 20
    keep_alive(line)
    for number in range(5):
        clock.now += 9
        peer.write(text(str(number)))
        assert await asyncio.wait_for(line.receive(PATIENCE_S), PATIENCE_S) == [str(number)]
        keep_alive(line)
    assert line.healthy


async def test_a_line_that_speaks_is_not_pinged(line, clock, peer):
    for _ in range(5):
        clock.now += 15
        peer.write(text("."))
        await asyncio.wait_for(line.receive(PATIENCE_S), PATIENCE_S)
        keep_alive(line)
        assert line._pinged_at is None


async def test_a_reader_who_does_not_keep_up_is_not_the_peers_fault(line, clock, peer):
    """The pongs stand behind what nobody takes: no verdict while we do not read, nor at once when we do."""
    flood = asyncio.create_task(_flood(peer))
    await until(lambda: not line._connection.reading)
    for _ in range(10):
        clock.now += 30
        keep_alive(line)
        assert line.open
    taken = 0
    while taken < 200:
        taken += len(await asyncio.wait_for(line.receive(PATIENCE_S), PATIENCE_S))
    await flood
    keep_alive(line)
    assert line.open
    assert line.healthy


async def _flood(peer) -> None:
    for _ in range(200):
        await peer.socket.send("x" * 100_000)


async def test_a_line_that_is_too_old_carries_no_turn(line, clock):
    clock.now += 3600
    line._connection.heard_at = clock.now
    assert (line.open, line.healthy) == (True, False)


async def test_a_line_that_slept_with_the_machine_carries_no_turn(line, clock):
    """No timer ran meanwhile: there was no ping, and yet nothing is known of the peer."""
    clock.now += 31
    assert (line.open, line.healthy) == (True, False)


async def test_by_its_own_timer_a_silent_line_is_pinged(dial):
    line = await dial(ping_interval_s=0.05)
    await until(lambda: line._pinged_at is not None and not line._suspect)
    assert line.open


async def test_by_its_own_timer_a_dead_line_is_found(dial, peer):
    line = await dial(ping_interval_s=0.05, ping_timeout_s=0.05)
    peer.stop_reading()
    with pytest.raises(TurnError) as caught:
        await asyncio.wait_for(line.receive(PATIENCE_S), PATIENCE_S)
    assert "answered no ping" in caught.value.message


async def test_a_line_that_is_closed_looks_after_nothing_any_more(line, clock):
    line.close()
    await asyncio.wait_for(line.closed(), PATIENCE_S)
    assert line._timer.cancelled()
