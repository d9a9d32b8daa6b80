"""The rooms' parts of the settings: the defaults, except for the fields that a test names."""

from typing import Any

from service.config.settings import Settings
from service.rpc.settings import ServerSettings
from service.telemetry.settings import TelemetrySettings
from service.transport.settings import UpstreamSettings


def server_settings(**fields: Any) -> ServerSettings:
    return Settings(**fields).part(ServerSettings)


def telemetry_settings(**fields: Any) -> TelemetrySettings:
    return Settings(**fields).part(TelemetrySettings)


def upstream_settings(**fields: Any) -> UpstreamSettings:
    return Settings(**fields).part(UpstreamSettings)
