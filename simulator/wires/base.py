"""What a wire is to whoever answers a request.

Owns the interface and the one exception that ends a performance. It must never know a transport.
"""

import asyncio
import socket
import struct
from typing import NoReturn, Protocol

from simulator.errors import Json
from simulator.scripts.faults import Fault
from simulator.scripts.steps import Fail, Framing
from simulator.validation.request import Transport


class Broken(Exception):  # noqa: N818 (nothing went wrong: the script wanted it)
    """The script broke the line: nothing more can be said on it. Expected."""


class Wire(Protocol):
    """Carries one answer. A send to a client that left raises ConnectionError."""

    @property
    def transport(self) -> Transport: ...

    @property
    def broken(self) -> bool:
        """Whether it was we who ended the connection."""

    def adopt(self, framing: Framing) -> None: ...

    async def send(self, event: Json) -> None: ...

    async def fail(self, fail: Fail) -> None: ...

    async def act(self, fault: Fault) -> None: ...


async def forever() -> NoReturn:
    """Wait until cancelled, as happens when the client leaves."""
    await asyncio.get_running_loop().create_future()
    raise AssertionError("unreachable")


def cut(transport: asyncio.BaseTransport | None, *, reset: bool) -> None:
    """End a TCP connection at once, by RST or by FIN."""
    if not isinstance(transport, asyncio.WriteTransport):
        return
    if not reset:
        transport.close()
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        # Lingering for no time at all is how a socket is told to reset.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
