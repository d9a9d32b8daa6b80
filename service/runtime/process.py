"""Tune the process for one event loop that writes many small messages.

Each piece is one function with its theory and what was measured of it. `TRUNKLINE_TUNING` leaves pieces out,
to measure what they do or to rule one out as the cause of a fault: `off` all of them, a list
(`malloc,gc`) those. A piece that the system does not have is left out by itself.

There are two moments. `tune` runs before the first thread and the first connection, since threads inherit
their class and connections their buffers. `settle` runs when the service listens: what the start has built is
permanent then.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
from asyncio.sslproto import SSLProtocol
from collections.abc import Collection

from service.runtime import memory
from service.runtime.paced_loop import PacedSelector

SWITCH_INTERVAL_S = 0.0005
GC_THRESHOLDS = (20_000, 20, 50)
TLS_BUFFER_BYTES = 16 * 1024


def tune(left_out: Collection[str] = ()) -> None:
    """Apply what must precede threads and connections, except the pieces that are left out."""
    if "switch-interval" not in left_out:
        set_switch_interval()
    if "scheduler" not in left_out:
        start_threads_as_batch()
    if "malloc" not in left_out:
        memory.keep_little()
    if "tls-buffers" not in left_out:
        shrink_tls_buffers()


def settle(left_out: Collection[str] = ()) -> None:
    """Apply what must follow the start, except the pieces that are left out."""
    if "scheduler" not in left_out:
        start_threads_as_other()
    if "gc" not in left_out:
        collect_seldom()


def runner(left_out: Collection[str] = ()) -> tuple[asyncio.Runner, PacedSelector | None]:
    """Return a runner for the service's event loop, and the selector that paces it.

    With `paced-loop` left out it is asyncio's own loop, and None.
    """
    if "paced-loop" in left_out:
        return asyncio.Runner(), None
    pace = PacedSelector()
    return asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(pace)), pace


def set_switch_interval() -> None:
    """Let the event loop have the interpreter again 0.5 ms after it asks, not 5 ms.

    A thread that runs Python code (an encoder of spans, a parser of a large request) gives the interpreter
    lock up only at the end of this interval. With CPython's 5 ms, a delta that arrives meanwhile is as late.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def start_threads_as_batch() -> None:
    """Put this thread, and those that it starts from now on, into the scheduling class SCHED_BATCH.

    grpc starts its polling thread while the service starts. It is woken for each message that was written,
    and a thread of the usual class then takes the core from the event loop. One of the batch class does not
    preempt: it runs when the loop waits, and reports several completions at once. `start_threads_as_other`
    returns the loop's own thread to the usual class.

    Measured: together with the paced loop, `make bench-guard` went from 1.29 to 1.06
    (docs/decisions/0014-batch-thread.md).
    """
    _set_scheduler("SCHED_BATCH")


def start_threads_as_other() -> None:
    """Return this thread, and those that it starts from now on, to the usual scheduling class."""
    _set_scheduler("SCHED_OTHER")


def _set_scheduler(policy: str) -> None:
    """Does nothing where the system lacks the class or forbids it, as some containers do."""
    if hasattr(os, policy):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, getattr(os, policy), os.sched_param(0))


def collect_seldom() -> None:
    """Exempt what exists from the garbage collector, and run it less often.

    A collection stops all streams for as long as it takes to visit the objects of a generation. There is
    little to find: the reference cycles of a turn, a connection and an error are broken where they end, and
    a test asks the garbage collector what is left. What the start has built (modules, classes, the server)
    lives as long as the process: frozen, it is never visited again.

    Measured: `make soak`, RSS 68.4 M warm and 70.3 M after 10,000 turns
    (docs/decisions/0019-garbage-collector.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def shrink_tls_buffers() -> None:
    """Let asyncio keep 16 KiB for each TLS connection in place of 256 KiB.

    asyncio allocates this buffer, for what it reads from the socket, with the connection and keeps it as
    long: 256 KiB would be most of what an idle connection takes. A TLS record holds at most 16 KiB (RFC 8446,
    section 5.1), so short messages gain nothing by more. asyncio has no parameter for it: this class
    attribute is the only place, so a test pins its name and its default.

    Measured: 28.7 KiB for each connection's `SSLProtocol` in place of 272.8
    (docs/decisions/0032-tls-buffers.md).
    """
    SSLProtocol.max_size = TLS_BUFFER_BYTES
