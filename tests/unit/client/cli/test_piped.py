"""Lines of a pipe are read as `sys.stdin` reads them, and a signal ends the wait whoever receives it."""

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from trunkline.cli.piped import _Interruptible, piped

PATIENCE_S = 30.0


@pytest.fixture
def pipe():
    reads, writes = os.pipe()
    with open(reads, encoding="utf-8", errors="replace") as stream, open(writes, "wb", 0) as writer:  # noqa: PTH123
        yield piped(stream), writer


@pytest.fixture
def unreceived():
    """What the main thread, which handles signals, does not receive: no read of its own is cut short."""
    signals = {signal.SIGINT, signal.SIGUSR1}
    before = {number: signal.getsignal(number) for number in signals}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


def wait_until_it_waits(thread):
    """Until it is in a read, and stays where it is though this thread gives way to it again and again."""
    stays, where = 0, None
    while stays < 20:
        time.sleep(0.005)
        frame = sys._current_frames()[thread]
        now = (frame.f_code, frame.f_lasti)
        waits = frame.f_code is _Interruptible.readinto.__code__
        stays, where = (stays + 1 if waits and now == where else 0), now


@contextmanager
def beside(do):
    """Another thread, which does this once the main thread waits."""
    main = threading.get_ident()

    def wait_and_do():
        wait_until_it_waits(main)
        do()

    thread = threading.Thread(target=wait_and_do)
    thread.start()
    yield
    thread.join()


def receive(number):
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    signal.pthread_kill(threading.get_ident(), number)


@pytest.mark.parametrize("said", [b"", b"half a li"], ids=["nothing", "half a line"])
def test_an_interrupt_that_another_thread_receives_ends_the_wait(pipe, unreceived, said):
    lines, writer = pipe
    writer.write(said)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ended, in_time = threading.Event(), []

    def interrupt():
        receive(signal.SIGINT)
        in_time.append(ended.wait(PATIENCE_S))
        writer.write(b"\n")  # so that a read which missed it ends, too

    with beside(interrupt):
        with pytest.raises(KeyboardInterrupt):
            lines.readline()
        ended.set()
    assert in_time == [True]


def test_a_signal_that_raises_nothing_lets_the_wait_go_on(pipe, unreceived):
    lines, writer = pipe
    handled = threading.Event()
    signal.signal(signal.SIGUSR1, lambda *_: handled.set())

    def interrupt():
        receive(signal.SIGUSR1)
        handled.wait(PATIENCE_S)
        writer.write(b"One.\n")

    with beside(interrupt):
        assert lines.readline() == "One.\n"
        assert handled.is_set()


def test_lines_are_read_as_sys_stdin_reads_them(pipe):
    lines, writer = pipe
    writer.write(b"one\r\ntwo\xff\n\nthr\xc3")
    assert [lines.readline() for _ in range(3)] == ["one\n", "two\ufffd\n", "\n"]
    writer.write(b"\xa9e")
    writer.close()
    assert [lines.readline(), lines.readline()] == ["thr\xe9e", ""]


def test_a_file_is_read_to_its_end(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(b"one\n" * 100_000 + b"last")
    with path.open(encoding="utf-8") as stream:
        assert sum(1 for _ in iter(piped(stream).readline, "")) == 100_001
