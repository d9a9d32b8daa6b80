"""Assemble the service from its layers, and run it: start, serve, drain."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from service import reload
from service.config.doubts import doubts
from service.config.file_limit import raise_file_limit
from service.config.settings import Settings
from service.config.upstreams import read_upstreams
from service.domain.errors import SettingsError
from service.domain.routes import Routes, Served
from service.rpc.server import Server
from service.rpc.settings import ServerSettings
from service.runtime import memory, process
from service.sessions.manager import Manager
from service.sessions.settings import EndpointSettings, Layout, SessionSettings
from service.sessions.upstreams import Upstreams
from service.telemetry import logs, sampler
from service.telemetry.settings import TelemetrySettings
from service.telemetry.setup import Providers
from service.telemetry.telemetry import OFF, Telemetry
from service.transport.pace import Pace
from service.transport.preload import preload
from service.transport.settings import UpstreamSettings
from service.transport.upstream import PayloadHook

STOP_GRACE_S = 2.0
"""How long calls that have ended may take to write their last message to a slow caller."""

logger = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Run `serve` in an event loop of its own."""
    runner, pace = process.runner(settings.tuning)
    with runner:
        return runner.run(serve(settings, pace))


async def serve(settings: Settings, pace: Pace | None = None) -> int:
    """Serve until SIGTERM or SIGINT, then drain. Return the exit code."""
    process.tune(settings.tuning)
    stop = _stop_signal()
    logs.configure(settings.log_level)
    logs.catch()
    providers = Providers(settings.part(TelemetrySettings))
    telemetry = providers.telemetry
    hook = _hook(settings.payload_hook)
    upstreams = upstreams_of(settings, hook, pace=pace, telemetry=telemetry)
    manager = Manager(settings.part(SessionSettings), upstreams, trim=memory.trim, telemetry=telemetry)
    server = Server(settings.part(ServerSettings), manager, telemetry)
    sampling = asyncio.create_task(sampler.run(telemetry, manager.counts), name="sampler")
    try:
        await preload()
        manager.start()
        address = await server.start()
        process.settle(settings.tuning)
        where = settings.upstreams_file or settings.upstream_url.partition("?")[0]
        logger.info("trunkline listening on %s, upstream %s", address, where)
        if not settings.upstreams_file:
            _log_route(settings)
        if providers.metrics_address:
            logger.info("metrics on %s", providers.metrics_address)
        for doubt in doubts(settings, os.environ):
            logger.warning("%s", doubt)
        await stop.wait()
        logger.info("draining for up to %g s", settings.drain_grace_s)
        manager.refuse()
        server.not_serving()
        # Even if nothing runs: a call that arrives while the port closes gets no status of ours.
        await asyncio.gather(manager.drain(settings.drain_grace_s), asyncio.sleep(settings.drain_notice_s))
    finally:
        await server.stop(STOP_GRACE_S)
        await manager.close()
        sampling.cancel()
        providers.close()
    return 0


def upstreams_of(
    settings: Settings,
    hook: PayloadHook | None = None,
    *,
    pace: Pace | None = None,
    telemetry: Telemetry = OFF,
) -> Upstreams:
    """Return the upstreams of the settings. Raises SettingsError if a file that they name is invalid."""
    return Upstreams(
        partial(_layout, settings),
        settings.upstreams_file,
        clock=time.monotonic,
        wall=time.time,
        hook=hook,
        pace=pace,
        telemetry=telemetry,
    )


def _layout(settings: Settings) -> Layout:
    """Return the upstreams of the settings, or of the file that they name. Raises ValueError or OSError."""
    if not settings.upstreams_file:
        return Layout((_both(settings),), Routes([Served("")]))
    found = read_upstreams(settings.upstreams_file, settings, os.environ)
    raise_file_limit(settings, found.connections)
    for one in found.settings:
        _log_route(one)
    return Layout(tuple(map(_both, found.settings)), found.routes)


def _both(settings: Settings) -> tuple[EndpointSettings, UpstreamSettings]:
    return settings.part(EndpointSettings), settings.part(UpstreamSettings)


def _log_route(settings: Settings) -> None:
    logger.info("%s is reached %s", f"upstream {settings.name}".strip(), settings.route)
    if settings.route.proxy is not None and settings.upstream_url.startswith("http:"):
        where = f"the url of upstream {settings.name}" if settings.name else "TRUNKLINE_UPSTREAM_URL"
        logger.warning("%s is http: the proxy sees the key and all that is said; use https", where)


def _hook(path: str) -> Callable[[dict[str, Any]], object] | None:
    """Load the operator's function.

    Returns None when no path is given.

    Raises SettingsError if it cannot be loaded or called.
    """
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
    reload.read_again()


def _stop_signal() -> asyncio.Event:
    """Return an event that the first SIGTERM or SIGINT sets.

    The second has the system's default action and ends the process at once. SIGHUP reads the files again.
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
