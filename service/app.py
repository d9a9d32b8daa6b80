"""The service as a process: wires the rooms; starts, serves, drains.

Owns the order of start and stop. Must never know what a turn is.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, cast

from service.config import reload
from service.config.settings import Settings, SettingsError, doubts
from service.rpc.server import Server
from service.runtime import memory
from service.runtime.paced_loop import Pace, PacedSelector
from service.sessions.manager import Manager
from service.telemetry import logs, sampler
from service.telemetry.setup import Telemetry
from service.transport.preload import rehearse
from service.transport.upstream import Upstream

STOP_GRACE_S = 2.0
"""How long calls that have ended may take to hand their ending to a slow caller."""

SWITCH_INTERVAL_S = 0.0005

COLLECT = (20_000, 20, 50)
"""How seldom the collector looks. Each look stops all streams, and there is little for it to find: what ends
here lets go of itself.
"""

logger = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """`serve` in a loop of its own."""
    runner, pace = paced()
    with runner:
        return runner.run(serve(settings, pace))


def paced() -> tuple[asyncio.Runner, Pace]:
    """A loop that looks at running answers less often while it is busy, and what tells how often."""
    pace = PacedSelector()
    return asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(pace)), pace


async def serve(settings: Settings, pace: Pace | None = None) -> int:
    """Serves until SIGTERM or SIGINT, then drains. Returns the exit code."""
    # Threads encode spans: none of them is to keep the loop waiting for the usual 5 ms.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    schedule("SCHED_BATCH")
    memory.keep_little()
    stop = _stop_signal()
    logs.configure(settings.log_level)
    logs.catch()
    telemetry = Telemetry(settings)
    manager = Manager(settings, Upstream(settings, _hook(settings.payload_hook), pace=pace))
    server = Server(settings, manager)
    sampling = asyncio.create_task(sampler.run(manager.counts), name="sampler")
    try:
        await rehearse()
        manager.start()
        address = await server.start()
        schedule("SCHED_OTHER")
        # What stands now stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*COLLECT)
        logger.info("trunkline listening on %s, upstream %s", address, settings.upstream_url)
        _tell_route(settings)
        if telemetry.metrics_address:
            logger.info("metrics on %s", telemetry.metrics_address)
        for doubt in doubts(settings, os.environ):
            logger.warning("%s", doubt)
        await stop.wait()
        logger.info("draining for up to %g s", settings.drain_grace_s)
        manager.refuse()
        server.not_serving()
        # Even if nothing runs: a call that meets the closing port ends without a word of what became of it.
        await asyncio.gather(manager.drain(settings.drain_grace_s), asyncio.sleep(settings.drain_notice_s))
    finally:
        await server.stop(STOP_GRACE_S)
        await manager.close()
        sampling.cancel()
        telemetry.close()
    return 0


def _tell_route(settings: Settings) -> None:
    logger.info("upstream is reached %s", settings.route)
    if settings.route.proxy is not None and settings.upstream_url.startswith("http:"):
        logger.warning(
            "TRUNKLINE_UPSTREAM_URL is http: the proxy sees the key and all that is said; use https"
        )


def schedule(policy: str) -> None:
    """How the system shares the core with this thread, and those that it begins from now on; where it can be
    told.

    grpc's thread, which learns that a message is written, would otherwise take the core from the loop for
    each. Of the batch class, it waits until the loop does, and tells of several at once.
    """
    if hasattr(os, policy):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, getattr(os, policy), os.sched_param(0))


def _hook(path: str) -> Callable[[dict[str, Any]], object] | None:
    """The operator's own function. No path: none."""
    if not path:
        return None
    module, _, name = path.partition(":")
    try:
        hook = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"TRUNKLINE_PAYLOAD_HOOK cannot be loaded: {error}") from error
    if not callable(hook):
        raise SettingsError(f"TRUNKLINE_PAYLOAD_HOOK names {path}, which is not a function")
    return cast(Callable[[dict[str, Any]], object], hook)


def _read_files() -> None:
    logger.info("SIGHUP: the files are read again")
    reload.look_again()


def _stop_signal() -> asyncio.Event:
    """Set by the first signal. The second one is the system's own, and ends the process at once. SIGHUP reads
    the files again.
    """
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def first() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, first)
    loop.add_signal_handler(signal.SIGHUP, _read_files)
    return stop
