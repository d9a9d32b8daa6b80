"""Test a log whose reader is absent, slow, full or closed: logging continues."""

import errno
import os
import threading
import time
from contextlib import suppress

import pytest

from service.telemetry.writer import BATCH_BYTES, Writer, to_descriptor

PATIENCE_S = 30.0


def until(predicate):
    due = time.monotonic() + PATIENCE_S
    while not predicate():
        assert time.monotonic() < due
        time.sleep(0.002)


@pytest.fixture
def pipe():
    read, write = os.pipe()
    yield read, write
    for descriptor in (read, write):
        with suppress(OSError):
            os.close(descriptor)


class Sink:
    """Takes so many bytes a call; `fail` is raised in place of that."""

    def __init__(self, most=10**9):
        self.data = b""
        self.calls = 0
        self.most = most
        self.fail = None

    def __call__(self, data):
        self.calls += 1
        if self.fail is not None:
            raise self.fail
        self.data += data[: self.most]
        return min(len(data), self.most)


def test_all_lines_are_written_in_order():
    sink = Sink()
    writer = Writer(sink)
    lines = [b"%d\n" % number for number in range(1000)]
    for line in lines:
        writer.put(line)
    assert writer.close(PATIENCE_S)
    assert sink.data == b"".join(lines)
    assert writer.lost == 0


def test_lines_queued_together_are_written_together():
    sink = Sink()
    writer = Writer(sink)
    for _ in range(1000):
        writer.put(b"x" * 99 + b"\n")
    assert writer.close(PATIENCE_S)
    assert sink.calls <= 100_000 // BATCH_BYTES + 5


def test_a_pipe_without_a_reader_loses_lines_without_blocking(pipe):
    read, write = pipe
    said: list[int] = []
    writer = Writer(to_descriptor(write), on_recovery=said.append, max_bytes=100_000)
    for _ in range(10_000):
        writer.put(b"x" * 99 + b"\n")
    assert writer.lost > 7_000
    assert not writer.close(0.05), "and neither does it hold up the end"
    received = b""
    while len(received) < (10_000 - writer.lost) * 100:
        received += os.read(read, 1 << 20)
    assert set(received.split(b"\n")) == {b"x" * 99, b""}
    until(lambda: sum(said) == writer.lost)  # in parts, if the thread wrote while lines were still coming


def test_a_closed_pipe_only_loses_lines(pipe):
    read, write = pipe
    os.close(read)
    writer = Writer(to_descriptor(write))
    writer.put(b"one\n")
    until(lambda: writer.lost == 1)
    writer.put(b"two\n")
    assert writer.close(PATIENCE_S)
    assert writer.lost == 2


def test_a_full_disk_loses_whole_lines_until_there_is_room():
    sink = Sink()
    recovered: list[int] = []
    writer = Writer(sink, on_recovery=recovered.append)
    taken: list[bytes] = []

    def half_then_full(data):
        if taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken.append(data[:2])
        sink.data += data[:2]
        return 2

    writer._write = half_then_full
    writer.put(b"first\n")
    until(lambda: writer.lost == 1)
    writer.put(b"second\n")
    until(lambda: writer.lost == 2)
    writer._write = sink
    writer.put(b"third\n")
    assert writer.close(PATIENCE_S)
    assert sink.data == b"fi\nthird\n"
    assert recovered == [2]


def test_a_partial_write_continues_with_the_rest():
    sink = Sink(most=3)
    writer = Writer(sink)
    writer.put(b"a longer line\n")
    assert writer.close(PATIENCE_S)
    assert sink.data == b"a longer line\n"


def test_a_non_blocking_descriptor_is_waited_for(pipe):
    read, write = pipe
    os.set_blocking(write, False)
    writer = Writer(to_descriptor(write))
    line = b"x" * 999 + b"\n"
    for _ in range(200):
        writer.put(line)
    received = b""
    while len(received) < 200_000:
        received += os.read(read, 65_536)
    assert writer.close(PATIENCE_S)
    assert (received, writer.lost) == (line * 200, 0)


def test_many_threads_lose_nothing():
    sink = Sink()
    writer = Writer(sink)

    def speak(name):
        for number in range(500):
            writer.put(b"%d %d\n" % (name, number))

    threads = [threading.Thread(target=speak, args=[name]) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.close(PATIENCE_S)
    assert len(set(sink.data.splitlines())) == 4000


def test_a_line_after_the_end_is_lost_and_counted():
    sink = Sink()
    writer = Writer(sink)
    assert writer.close(PATIENCE_S)
    writer.put(b"late\n")
    assert (sink.data, writer.lost) == (b"", 1)
    assert repr(writer) == "Writer(0 bytes wait, 1 lines lost)"
