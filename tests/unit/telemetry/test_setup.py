import urllib.request

import pytest

from service.domain.errors import SettingsError
from service.telemetry.setup import Telemetry
from service.telemetry.signals import signals
from tests.parts import telemetry_settings


def test_nothing_is_exported_unless_asked_for():
    telemetry = Telemetry(telemetry_settings(), {})
    try:
        assert signals().tracer is None
        assert telemetry.metrics_address == ""
    finally:
        telemetry.close()


def test_the_upstream_is_host_and_port():
    telemetry = Telemetry(telemetry_settings(upstream_url="https://api.example/v1"), {})
    try:
        assert signals().upstream == ("api.example", 443)
    finally:
        telemetry.close()
    assert signals().upstream == ("", 0)


def test_prometheus_reads_at_the_address_of_the_setting():
    telemetry = Telemetry(telemetry_settings(metrics_listen="127.0.0.1:0", replica="r1"), {})
    try:
        signals().instruments.turns.add(1, {"ending": "OK"})
        with urllib.request.urlopen(f"http://{telemetry.metrics_address}/metrics", timeout=30) as response:
            page = response.read().decode()
    finally:
        telemetry.close()
    assert "trunkline_turns" in page
    assert 'service_instance_id="r1"' in page


def test_an_address_that_is_taken_is_named():
    telemetry = Telemetry(telemetry_settings(metrics_listen="127.0.0.1:0"), {})
    try:
        with pytest.raises(SettingsError, match="TRUNKLINE_METRICS_LISTEN"):
            Telemetry(telemetry_settings(metrics_listen=telemetry.metrics_address), {})
    finally:
        telemetry.close()


def test_an_unknown_exporter_is_named():
    with pytest.raises(SettingsError, match="OTEL_TRACES_EXPORTER"):
        Telemetry(telemetry_settings(), {"OTEL_TRACES_EXPORTER": "pigeon"})
