"""An interrupt at any call or return ends a chat's run or read, once, and leaves the event loop whole."""

import asyncio
import io
import signal
import sys
from itertools import count

import pytest

from trunkline.cli.interrupts import Interrupts


@pytest.fixture
def interrupts():
    with asyncio.Runner() as runner, Interrupts(runner) as interrupts:
        yield interrupts


def interrupt():
    signal.raise_signal(signal.SIGINT)


def read():
    return io.StringIO("line").read()


async def answer():
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return "answer"


async def slow():
    interrupt()
    await asyncio.Event().wait()


def test_a_run_is_cancelled(interrupts):
    with pytest.raises(asyncio.CancelledError):
        interrupts.run(slow())
    assert interrupts.taken()
    assert not interrupts.taken()
    assert interrupts.run(answer()) == "answer"


def test_a_run_that_ended_before_the_interrupt_keeps_its_result(interrupts):
    async def ends():
        interrupt()
        return "answer"

    assert interrupts.run(ends()) == "answer"
    assert interrupts.taken()


def test_a_run_that_fails_says_so(interrupts):
    async def fails():
        interrupt()
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        interrupts.run(fails())
    assert interrupts.taken()


def test_a_read_is_interrupted(interrupts):
    with pytest.raises(KeyboardInterrupt):
        interrupts.call(interrupt)
    assert not interrupts.taken()
    assert interrupts.call(read) == "line"


def test_what_came_before_is_not_lost(interrupts):
    interrupt()
    with pytest.raises(KeyboardInterrupt):
        interrupts.call(pytest.fail)
    interrupt()
    with pytest.raises(asyncio.CancelledError):
        interrupts.run(answer())
    assert interrupts.taken()


def test_the_handler_before_stands_again_behind_it():
    before = signal.getsignal(signal.SIGINT)
    with asyncio.Runner() as runner:
        with Interrupts(runner):
            assert signal.getsignal(signal.SIGINT) != before
        assert signal.getsignal(signal.SIGINT) is before


def interrupted_at(number, interrupts):
    """A run, then a read, interrupted at this call or return: how they ended, and whether it was reached."""
    seen, ends = count(1), []

    def profile(*_):
        if next(seen) == number:
            interrupt()

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        interrupts.run(answer())
        if interrupts.taken():
            ends.append("taken")
        else:
            interrupts.call(read)
    except asyncio.CancelledError:
        ends.append("cancelled")
        assert interrupts.taken()
    except KeyboardInterrupt:
        ends.append("raised")
    finally:
        sys.setprofile(before)
    if interrupts.taken():
        ends.append("kept")
    return ends, next(seen) > number


def test_an_interrupt_at_any_call_or_return(interrupts):
    ways = set()
    for number in count(1):
        ends, came = interrupted_at(number, interrupts)
        assert len(ends) == came, f"at event {number}: {ends}"
        if not came:
            break
        ways.update(ends)
        assert interrupts.run(answer()) == "answer"
    assert ways == {"cancelled", "taken", "raised", "kept"}
