"""Run work that would block the event loop in a thread: `aside`.

A thread's Python code yields to the event loop after 0.5 ms (`runtime.process.set_switch_interval`); C code
only at its end, so what is given to a thread calls nothing that takes longer than about 50 ms. A request of
less than `LARGE_BYTES` never comes here: the way to a thread and back takes 0.1 ms.

One thread: Python runs one at a time anyway, and two large requests that are parsed or written at the same
moment would take their worst moment of memory together. What waits for it is bounded by the budget of request
bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Protocol, TypeVar

THREADS = 1


class Pinned(Protocol):
    """A resource that must not be released while a thread works for it."""

    def pin(self) -> None: ...

    def unpin(self) -> None: ...


PINNED: ContextVar[Pinned | None] = ContextVar("pinned", default=None)
"""The resource that the call of this task holds."""

_Result = TypeVar("_Result")
_THREADS = ThreadPoolExecutor(THREADS, "worker")


async def aside(work: Callable[[], _Result]) -> _Result:
    """Run the work in a thread and return its result.

    Cancellation: work that has not begun never does. Work that runs is finished, its result is dropped, and
    what the call had pinned stays pinned until then.
    """
    pinned = PINNED.get()
    loop = asyncio.get_running_loop()
    future = _THREADS.submit(work)
    if pinned is None:
        return await asyncio.wrap_future(future)
    pinned.pin()
    try:
        return await asyncio.wrap_future(future)
    finally:
        if future.done():
            pinned.unpin()
        else:
            future.add_done_callback(_unpin_in(loop, pinned))


async def maybe_aside(large: bool, work: Callable[[], _Result]) -> _Result:
    """Run the work in a thread if it is large, otherwise here."""
    return await aside(work) if large else work()


def _unpin_in(loop: asyncio.AbstractEventLoop, pinned: Pinned) -> Callable[[Future[_Result]], None]:
    def unpin(_future: Future[_Result]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(pinned.unpin)

    return unpin
