"""Test where spans and measurements go, by the standard switches, without delaying a turn."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.domain.errors import SettingsError
from service.telemetry import sampler, setup
from service.telemetry.gauges import Counts
from service.telemetry.setup import Providers
from tests.otlp import deaf_receiver, grpc_receiver, http_receiver
from tests.parts import telemetry_settings
from tests.stack import MODEL, request, stack
from tests.watching import until

SETTINGS = telemetry_settings()
IDLE = {("", "idle"): 1, ("", "leased"): 0, ("", "dialing"): 0}
RECEIVERS = {"http/protobuf": http_receiver, "grpc": grpc_receiver}


@asynccontextmanager
async def telemetry(monkeypatch, environ, **settings):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    started = Providers(replace(SETTINGS, **settings))
    try:
        yield started
    finally:
        await asyncio.to_thread(started.close)  # the receiver is served by this loop


@asynccontextmanager
async def sampled(started, service):
    task = asyncio.create_task(sampler.run(started.telemetry, service.manager.counts, period_s=0.01))
    try:
        yield
    finally:
        task.cancel()


@pytest.mark.parametrize("protocol", RECEIVERS)
async def test_both_signals_over_both_protocols(monkeypatch, protocol):
    async with RECEIVERS[protocol]() as (received, url):
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-who=me",
            "OTEL_BSP_SCHEDULE_DELAY": "20",
            "OTEL_METRIC_EXPORT_INTERVAL": "20",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        }
        async with (
            telemetry(monkeypatch, environ, replica="blue") as started,
            stack(telemetry=started.telemetry) as service,
        ):
            await service.done(request("Hello."))
            await until(lambda: len(received.spans) == 4 and "trunkline.turns" in received.metrics)
    assert received.names() == {
        "trunkline.v1.CompletionService/StreamCompletion",
        "session.acquire",
        "dial",
        f"chat {MODEL}",
    }
    assert received.headers["x-who"] == "me"
    assert received.resource["service.name"] == "trunkline"
    assert received.resource["service.instance.id"] == "blue"
    assert received.resource["deployment.environment.name"] == "test"


async def test_resource_attributes_of_the_environment_take_precedence(monkeypatch):
    environ = {"OTEL_TRACES_EXPORTER": "console", "OTEL_RESOURCE_ATTRIBUTES": "service.name=mine"}
    async with telemetry(monkeypatch, environ) as started:
        assert started._tracers.resource.attributes["service.name"] == "mine"
    async with telemetry(monkeypatch, environ | {"OTEL_SERVICE_NAME": "named"}) as started:
        assert started._tracers.resource.attributes["service.name"] == "named"


async def test_the_sampler_is_the_standard_one(monkeypatch):
    async with http_receiver() as (received, url):
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_TRACES_SAMPLER": "always_off"}
        async with telemetry(monkeypatch, environ) as started, stack(telemetry=started.telemetry) as service:
            await service.done(request("Hello."))
    assert received.spans == []
    assert received.metrics


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
        {
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x",
        },
    ],
)
async def test_off_is_off(monkeypatch, environ):
    async with telemetry(monkeypatch, environ) as started:
        assert started.telemetry.tracer is None
        assert (started._tracers, started._meters) == (None, None)


def test_an_invalid_switch_is_reported(monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    with pytest.raises(SettingsError, match="OTEL_TRACES_EXPORTER must be one of none, otlp, console"):
        Providers(SETTINGS)


async def test_an_unresponsive_collector_slows_and_fails_nothing(monkeypatch):
    """Its queue fills, spans are dropped, turns continue, and the process ends without waiting for it."""
    monkeypatch.setattr(setup, "CLOSE_TIMEOUT_S", 0.2)
    async with deaf_receiver() as url:
        environ = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_BSP_SCHEDULE_DELAY": "1",
            "OTEL_BSP_MAX_QUEUE_SIZE": "2",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1",
            "OTEL_METRIC_EXPORT_INTERVAL": "10",
        }
        async with telemetry(monkeypatch, environ) as started:
            async with stack(telemetry=started.telemetry) as service:
                for number in range(20):
                    await service.done(request("Hello.", session=f"s{number}"))
            began = time.perf_counter()
        assert time.perf_counter() - began < setup.CLOSE_TIMEOUT_S * 20


async def test_an_unreachable_collector_fails_nothing(monkeypatch):
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "1"}
    async with telemetry(monkeypatch, environ) as started, stack(telemetry=started.telemetry) as service:
        await service.done(request("Hello."))


async def test_prometheus_reads_what_happened(monkeypatch):
    async with (
        telemetry(monkeypatch, {}, metrics_listen="127.0.0.1:0") as started,
        stack(telemetry=started.telemetry) as service,
        sampled(started, service),
        httpx.AsyncClient() as client,
    ):
        first = await service.done(request("Hello."))
        await service.done(request("Hello.", first.message, "And?"))
        await until(lambda: started.telemetry.gauges.counts == Counts(sessions=1, lines=IDLE))
        page = await client.get(f"http://{started.metrics_address}/metrics")
    samples = {}
    for family in text_string_to_metric_families(page.text):
        for sample in family.samples:
            samples[sample.name, *sorted(sample.labels.items())] = sample.value
    assert samples["trunkline_turns_total", ("ending", "OK"), ("transport", "websocket")] == 2
    continued = ("reason", "continued"), ("result", "incremental")
    assert samples["trunkline_turn_continuation_total", *continued] == 1
    assert samples["trunkline_lines", ("state", "idle")] == 1
    assert samples["trunkline_sessions",] == 1
    assert samples["trunkline_turns_running",] == 0
    assert any(name == "process_resident_memory_bytes" for name, *_ in samples)
    buckets = [labels for name, *labels in samples if name == "rpc_server_call_duration_seconds_bucket"]
    assert any(("le", "600.0") in labels for labels in buckets)


async def test_an_address_that_is_taken():
    async with deaf_receiver() as url:
        listen = url.removeprefix("http://")
        with pytest.raises(SettingsError, match=f"TRUNKLINE_METRICS_LISTEN cannot be served: {listen}"):
            Providers(replace(SETTINGS, metrics_listen=listen))


async def test_the_lag_of_the_event_loop_is_recorded(seen):
    task = asyncio.create_task(sampler.run(seen.telemetry, lambda: Counts(turns=3), period_s=0.001))
    await asyncio.sleep(0)
    time.sleep(0.02)  # noqa: ASYNC251  that is the point
    await seen.until(lambda: seen.count("trunkline.event_loop.lag"))
    task.cancel()
    assert seen.count("trunkline.turns.running") == 3
