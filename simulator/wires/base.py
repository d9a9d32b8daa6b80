"""The interface of a transport that carries one answer, and the exception that ends it."""

import asyncio
import socket
import struct
from typing import NoReturn, Protocol

from simulator.errors import Json
from simulator.scripts.faults import Fault
from simulator.scripts.steps import Fail, Framing
from simulator.validation.request import Transport


class ConnectionEnded(Exception):  # noqa: N818 (no error: the script asked for it)
    """The script ended the connection: nothing more can be sent on it. Expected."""


class Wire(Protocol):
    """Carries one answer. Sending to a client that has left raises ConnectionError."""

    @property
    def transport(self) -> Transport: ...

    @property
    def broken(self) -> bool:
        """Whether the simulator, not the client, ended the connection."""

    def adopt(self, framing: Framing) -> None: ...

    async def send(self, event: Json) -> None: ...

    async def fail(self, fail: Fail) -> None: ...

    async def inject(self, fault: Fault) -> None: ...


async def forever() -> NoReturn:
    """Wait until cancelled, as happens when the client leaves."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("unreachable")


def end_connection(transport: asyncio.BaseTransport | None, *, reset: bool) -> None:
    """End a TCP connection immediately, by RST or by FIN."""
    if not isinstance(transport, asyncio.WriteTransport):
        return
    if not reset:
        transport.close()
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        # SO_LINGER with a time of 0 makes close() send RST instead of FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
