"""Decide what Ctrl-C does in a chat, so that none is missed and none tears the event loop.

`asyncio.Runner` exchanges the handler of SIGINT around each run, and the default one raises KeyboardInterrupt
wherever Python happens to be. Between the end of a turn and the next line that may be inside the loop's own
functions, whose stop then ends the next run ("Event loop stopped before Future completed"), or in a
callback from C that drops the exception: the chat waits on for a line.

One handler stands as long as the chat does. It raises only inside a read (`call`), cancels a coroutine that
runs (`run`) from the loop, and is otherwise kept until the next of these, or `taken`. The test interrupts a
run and a read at each call and each return.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

_T = TypeVar("_T")


class Interrupts:
    """Handle SIGINT while the context is open, for coroutines of the runner and for reads between them."""

    def __init__(self, runner: asyncio.Runner) -> None:
        self._runner = runner
        self._loop = runner.get_loop()
        self._before: Any = None
        self._task: asyncio.Task[Any] | None = None
        self._in_call = False
        self._came = False

    def __enter__(self) -> Self:
        self._before = signal.getsignal(signal.SIGINT)
        with suppress(NotImplementedError):
            # Not for its callback: a signal then never finds the loop asleep. Windows has none.
            self._loop.add_signal_handler(signal.SIGINT, lambda: None)
        signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(NotImplementedError):
            self._loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, self._before)

    def call(self, read: Callable[[], _T]) -> _T:
        """Call what waits for a line. Raises KeyboardInterrupt, also for an interrupt that came before."""
        try:
            self._in_call = True
            if self.taken():
                raise KeyboardInterrupt
            return read()
        finally:
            self._in_call = False

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run it to its end. An interrupt cancels it, and is there to be `taken`."""
        return self._runner.run(self._cancellable(coroutine))

    def taken(self) -> bool:
        """Return whether one came that ended no read; it counts once."""
        came, self._came = self._came, False
        return came

    async def _cancellable(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        self._task = asyncio.current_task()
        try:
            if self._came:
                self._cancel()
            return await coroutine
        finally:
            self._task = None

    def _on_signal(self, *_: object) -> None:
        if self._in_call:
            raise KeyboardInterrupt
        self._came = True
        self._cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
