"""Test the Prometheus endpoint: one page, which no peer can block."""

import asyncio
import gc
import gzip
import socket
import threading
from contextlib import suppress

import prometheus_client
import pytest

from service.telemetry import scraping
from service.telemetry.scraping import MAX_CONNECTIONS, MAX_HEAD_BYTES, Endpoint

PATIENCE_S = 60.0


@pytest.fixture
def endpoint():
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.Counter("turns", "Turns.", registry=registry).inc(7)
    endpoint = Endpoint("127.0.0.1", 0, registry)
    yield endpoint
    ended(endpoint)


def ended(endpoint):
    """Close it. Its thread ends by itself, though a busy machine may let it wait longer than `close` does."""
    endpoint.close()
    endpoint._thread.join(PATIENCE_S)
    assert not endpoint._thread.is_alive()


async def asked(endpoint, request):
    """The status, the fields and the body of the answer; the connection ends after it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    try:
        writer.write(request)
        async with asyncio.timeout(PATIENCE_S):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.transport.abort()
    status, *fields = head.decode().split("\r\n")
    return status, dict(field.split(": ", 1) for field in fields if field), body


def get(path="/metrics", *fields):
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *fields, "", ""]).encode()


async def test_the_page(endpoint):
    status, fields, body = await asked(endpoint, get())
    assert status == "HTTP/1.1 200 OK"
    assert fields["Content-Type"].startswith("text/plain")
    assert int(fields["Content-Length"]) == len(body)
    assert b"turns_total 7.0" in body


async def test_the_format_and_the_encoding_are_the_scraper_s_choice(endpoint):
    fields = ("Accept: application/openmetrics-text; version=1.0.0", "Accept-Encoding: gzip")
    _, said, body = await asked(endpoint, get("/metrics?name[]=turns_total", *fields))
    assert said["Content-Type"].startswith("application/openmetrics-text")
    assert b"turns_total 7.0" in gzip.decompress(body)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get("/"), "404"),
        (get("/favicon.ico"), "404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", "405"),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", "405"),
        (b"GET /metrics\r\n\r\n", "400"),
        (b"GET /metrics HTTP/2\r\n\r\n", "400"),
        (b"\x16\x03\x01\xff\r\n\r\n", "400"),
        (get("/metrics", *(f"X-{number}: y" for number in range(200))), "400"),
        (get("/metrics", "X: " + "y" * MAX_HEAD_BYTES * 2), "431"),
        (b"GET /" + b"m" * MAX_HEAD_BYTES * 2, "431"),
    ],
)
async def test_anything_else_is_refused(endpoint, request_, status):
    said, _, _ = await asked(endpoint, request_)
    assert said.split()[1] == status
    assert (await asked(endpoint, get()))[0] == "HTTP/1.1 200 OK"


@pytest.mark.parametrize("begun", [b"", b"GET /metrics HTTP/1.1\r\n"])
async def test_400_half_requests_leave_the_scrapes_answered(endpoint, begun):
    threads = threading.active_count()
    silent = [await asyncio.open_connection("127.0.0.1", endpoint.port) for _ in range(400)]
    try:
        for _, writer in silent:
            writer.write(begun)
        for _ in range(5):
            assert (await asked(endpoint, get()))[0] == "HTTP/1.1 200 OK"
        assert len(endpoint._open) <= MAX_CONNECTIONS
        assert threading.active_count() == threads
    finally:
        for _, writer in silent:
            writer.transport.abort()


async def test_who_says_nothing_is_sent_away(monkeypatch):
    monkeypatch.setattr(scraping, "REQUEST_TIMEOUT_S", 0.05)
    endpoint = Endpoint("127.0.0.1", 0, prometheus_client.CollectorRegistry())
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        writer.transport.abort()
    finally:
        endpoint.close()


async def test_who_does_not_read_the_page_is_sent_away(monkeypatch):
    monkeypatch.setattr(scraping, "ANSWER_TIMEOUT_S", 0.05)
    registry = prometheus_client.CollectorRegistry()
    gauge = prometheus_client.Gauge("much", "Much.", ["label"], registry=registry)
    for number in range(100):
        gauge.labels(f"{number} {'x' * 100_000}").set(1)
    endpoint = Endpoint("127.0.0.1", 0, registry)
    answer_one, answered = endpoint._answer_one, threading.Event()

    async def watched(reader, writer):
        await answer_one(reader, writer)
        answered.set()

    monkeypatch.setattr(endpoint, "_answer_one", watched)
    try:
        with socket.create_connection(("127.0.0.1", endpoint.port)) as silent:
            silent.sendall(get())
            assert await asyncio.to_thread(answered.wait, PATIENCE_S)
            assert not endpoint._open
    finally:
        endpoint.close()


async def test_its_end_does_not_wait_for_connections(monkeypatch):
    monkeypatch.setattr(scraping, "REQUEST_TIMEOUT_S", 10 * PATIENCE_S)
    endpoint = Endpoint("localhost", 0, prometheus_client.CollectorRegistry())
    assert repr(endpoint) == f"Endpoint(port {endpoint.port}, 0 connections)"
    _, writer = await asyncio.open_connection("localhost", endpoint.port)
    await asyncio.to_thread(ended, endpoint)
    writer.transport.abort()


def test_connections_that_come_as_it_closes_are_closed():
    endpoint = Endpoint("127.0.0.1", 0, prometheus_client.CollectorRegistry())
    peers = [socket.create_connection(("127.0.0.1", endpoint.port)) for _ in range(8)]
    endpoint.close()
    for peer in peers:
        peer.settimeout(PATIENCE_S)
        with peer, suppress(ConnectionResetError):
            assert peer.recv(1) == b""


def ended_after(steps):
    """Let a peer connect, and end the endpoint that many steps of its loop later. Returns the peer."""
    endpoint = Endpoint("127.0.0.1", 0, prometheus_client.CollectorRegistry())
    peers = []

    def stop(steps):
        if steps:
            endpoint._loop.call_soon(stop, steps - 1)
        else:
            endpoint._stop.set()

    def connect():
        peers.append(socket.create_connection(("127.0.0.1", endpoint.port)))
        stop(steps)

    endpoint._loop.call_soon_threadsafe(connect)
    endpoint._thread.join(PATIENCE_S)
    assert not endpoint._thread.is_alive()
    return peers[0]


@pytest.mark.parametrize("steps", range(8))
def test_a_connection_that_comes_with_the_end_is_closed(steps):
    with ended_after(steps):
        gc.collect()  # what is unclosed is an error by its warning
