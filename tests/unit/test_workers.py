import asyncio
import threading

import pytest

from service.workers import PINNED, THREADS, aside, maybe_aside


class Pins:
    def __init__(self):
        self.count = 0
        self.any = threading.Event()
        self.none_left = asyncio.Event()

    def pin(self):
        self.count += 1
        self.any.set()

    def unpin(self):
        self.count -= 1
        if not self.count:
            self.none_left.set()


async def test_work_is_done_in_another_thread():
    assert await aside(threading.get_ident) != threading.get_ident()
    assert await maybe_aside(large=True, work=threading.get_ident) != threading.get_ident()
    assert await maybe_aside(large=False, work=threading.get_ident) == threading.get_ident()


async def test_what_it_raises_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 // 0)


async def test_what_the_call_holds_is_pinned_while_a_thread_works():
    pins = Pins()
    PINNED.set(pins)
    assert await aside(lambda: pins.any.wait(30) and pins.count) == 1
    assert pins.count == 0


async def test_a_cancelled_call_ends_at_once_and_its_pin_with_the_work():
    pins, go_on = Pins(), threading.Event()
    PINNED.set(pins)
    began = asyncio.Event()
    loop = asyncio.get_running_loop()

    def work():
        loop.call_soon_threadsafe(began.set)
        go_on.wait(30)

    task = asyncio.create_task(aside(work))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pins.count == 1
    go_on.set()
    await asyncio.wait_for(pins.none_left.wait(), 30)


async def test_work_that_waits_is_not_begun_for_a_cancelled_call():
    pins, go_on, done = Pins(), threading.Event(), []
    busy = [asyncio.create_task(aside(lambda: go_on.wait(30))) for _ in range(THREADS)]
    await asyncio.sleep(0)
    PINNED.set(pins)
    task = asyncio.create_task(aside(lambda: done.append(1)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pins.count == 0
    go_on.set()
    await asyncio.gather(*busy)
    assert done == []
