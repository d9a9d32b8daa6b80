"""Process tuning: what each piece does, its off switch, and the library surface that it relies on."""

import asyncio
import gc
import os
import ssl
import sys
from asyncio.sslproto import SSLProtocol

import pytest

from service.config.parsers import TUNING
from service.runtime import memory, process
from service.runtime.paced_loop import PacedSelector

PIECES = {"gc", "malloc", "paced-loop", "scheduler", "switch-interval", "tls-buffers"}


@pytest.fixture
def applied(monkeypatch):
    """Record the pieces that are applied, in place of applying them."""
    applied: list[str] = []
    for module, function, piece in [
        (process, "set_switch_interval", "switch-interval"),
        (process, "start_threads_as_batch", "scheduler"),
        (process, "start_threads_as_other", "scheduler"),
        (process, "collect_seldom", "gc"),
        (process, "shrink_tls_buffers", "tls-buffers"),
        (memory, "keep_little", "malloc"),
    ]:
        monkeypatch.setattr(module, function, lambda piece=piece: applied.append(piece))
    return applied


def test_every_piece_has_an_off_switch():
    assert TUNING - {"frame-splitting"} == PIECES, "that one is transport's"


def test_every_piece_is_applied_by_default(applied):
    process.tune()
    process.settle()
    assert set(applied) == PIECES - {"paced-loop"}
    assert applied.count("scheduler") == 2, "the loop's own thread returns to the usual class"


@pytest.mark.parametrize("piece", sorted(PIECES))
def test_a_piece_can_be_left_out(applied, piece):
    process.tune({piece})
    process.settle({piece})
    assert set(applied) == PIECES - {"paced-loop", piece}


@pytest.mark.parametrize(("left_out", "kind"), [((), PacedSelector), ({"paced-loop"}, type(None))])
def test_the_loop_is_paced_unless_left_out(left_out, kind):
    async def work():
        return 1

    runner, pace = process.runner(left_out)
    with runner:
        assert runner.run(work()) == 1
    assert type(pace) is kind


def test_a_forbidden_or_unknown_scheduling_class_is_ignored(monkeypatch):
    def forbid(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", forbid, raising=False)
    process.start_threads_as_batch()
    monkeypatch.delattr(os, "SCHED_OTHER", raising=False)
    process.start_threads_as_other()


@pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="the scheduling classes of Linux")
def test_the_scheduling_class_is_set_and_reset(monkeypatch):
    asked = []
    monkeypatch.setattr(os, "sched_setscheduler", lambda *given: asked.append(given))
    process.start_threads_as_batch()
    process.start_threads_as_other()
    assert [(thread, policy) for thread, policy, _ in asked] == [(0, os.SCHED_BATCH), (0, os.SCHED_OTHER)]
    assert {parameters.sched_priority for _, _, parameters in asked} == {0}


def test_the_interpreter_switches_sooner():
    before = sys.getswitchinterval()
    try:
        process.set_switch_interval()
        assert sys.getswitchinterval() == pytest.approx(process.SWITCH_INTERVAL_S)
    finally:
        sys.setswitchinterval(before)


def test_the_garbage_collector_runs_less_often():
    before, existing = gc.get_threshold(), [1]
    try:
        process.collect_seldom()
        assert gc.get_threshold() == process.GC_THRESHOLDS
        assert not any(visited is existing for visited in gc.get_objects())
    finally:
        gc.set_threshold(*before)


def test_asyncio_reads_tls_into_a_buffer_of_max_size(monkeypatch):
    """Pinned: the attribute, its default, and that a connection's buffer has this size."""
    assert SSLProtocol.max_size == 256 * 1024
    monkeypatch.setattr(SSLProtocol, "max_size", SSLProtocol.max_size)  # restored after the test
    process.shrink_tls_buffers()
    loop = asyncio.new_event_loop()
    try:
        context = ssl.create_default_context()
        protocol = SSLProtocol(loop, asyncio.Protocol(), context, loop.create_future())
        assert len(protocol.get_buffer(-1)) == process.TLS_BUFFER_BYTES
        protocol._app_transport.close()
    finally:
        loop.close()
