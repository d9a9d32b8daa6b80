"""The assembly of the service: the operator's hook and the signals."""

import asyncio
import json
import os
import signal

import pytest

from service import app
from service.domain.errors import SettingsError


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
