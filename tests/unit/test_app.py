"""The assembly of the service: the rooms' settings, the operator's hook and the signals."""

import asyncio
import dataclasses
import inspect
import json
import os
import signal
from typing import get_type_hints

import pytest

from service import app
from service.config.settings import Settings
from service.domain.errors import SettingsError
from service.rpc.settings import ServerSettings
from service.sessions.settings import SessionSettings
from service.telemetry.settings import TelemetrySettings
from service.transport.settings import UpstreamSettings


def test_no_path_is_no_hook():
    assert app._hook("") is None


def test_a_hook_is_loaded_by_its_path():
    hook: object = app._hook("json:loads")
    assert hook == json.loads


@pytest.mark.parametrize(
    ("path", "problem"),
    [("no_such_module:hook", "loaded"), ("json:no_such_name", "loaded"), ("json:__name__", "not a function")],
)
def test_a_hook_that_cannot_be_used_is_a_settings_error(path, problem):
    with pytest.raises(SettingsError, match=f"TRUNKLINE_PAYLOAD_HOOK.*{problem}"):
        app._hook(path)


@pytest.mark.parametrize("part", [ServerSettings, SessionSettings, TelemetrySettings, UpstreamSettings])
def test_a_part_repeats_names_and_types_of_the_settings_but_no_default(part):
    members = inspect.getmembers(Settings, lambda member: isinstance(member, property))
    properties = {name: found.fget for name, found in members}
    types = get_type_hints(Settings) | {
        name: get_type_hints(getter)["return"] for name, getter in properties.items() if getter is not None
    }
    hidden = {field.name for field in dataclasses.fields(Settings) if not field.repr}
    for name, kind in get_type_hints(part).items():
        assert types[name] == kind, name
    for field in dataclasses.fields(part):
        assert field.default is field.default_factory is dataclasses.MISSING, field.name
        assert field.repr is (field.name not in hidden), field.name


async def test_the_first_signal_stops_and_the_second_is_the_systems():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        stop = app._stop_signal()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), 30)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        for number, handler in before.items():
            signal.signal(number, handler)
