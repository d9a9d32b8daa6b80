"""A name with two addresses, of which the first takes no connection."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest

from service.gen.trunkline.v1 import completion_pb2 as pb
from simulator import Simulator
from tests.stack import request, stack

NAME = "upstream.test"
DEAD, ALIVE = "127.0.0.2", "127.0.0.1"
CONNECT_TIMEOUT_S = 8.0


@contextmanager
def hole(port: int) -> Iterator[None]:
    """A listener whose queue is full: a connection to it is neither taken nor refused."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind((DEAD, port))
        listener.listen(0)
        for _ in range(4):
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((DEAD, port))
        yield


@pytest.mark.parametrize("transport", [pb.TRANSPORT_WEBSOCKET, pb.TRANSPORT_SSE])
async def test_a_dead_first_address_does_not_cost_the_connect_wait(monkeypatch, transport):
    resolve = socket.getaddrinfo

    def resolved(host, port, *others, **more):
        if host in (NAME, NAME.encode()):
            return [found for one in (DEAD, ALIVE) for found in resolve(one, port, *others, **more)]
        return resolve(host, port, *others, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    async with Simulator(port=0) as upstream:
        port = urlsplit(upstream.url).port or 0
        async with stack({"UPSTREAM_URL": f"http://{NAME}:{port}/v1"}) as running:
            with hole(port):
                began = time.monotonic()
                options = pb.CompletionOptions(transport=transport)
                done = await running.done(request("Hello.", options=options), timeout=60)
                assert done.report.transport == transport
                assert time.monotonic() - began < CONNECT_TIMEOUT_S
