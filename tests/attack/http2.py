"""A gRPC caller made by hand on HTTP/2, for what no gRPC library sends."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from types import TracebackType

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

Metadata = Sequence[tuple[str, str]]


def message(body: bytes, *, compressed: bool = False, announced: int | None = None) -> bytes:
    """A gRPC message in its frame; `announced` is a length other than the true one."""
    return struct.pack(">BI", compressed, len(body) if announced is None else announced) + body


class Caller:
    """One connection. `window` is the initial window of each stream: 0 reads nothing."""

    def __init__(self, port: int, *, window: int | None = None) -> None:
        self._port = port
        config = h2.config.H2Configuration(header_encoding="utf-8", validate_inbound_headers=False)
        self.connection = h2.connection.H2Connection(config)
        if window is not None:
            code = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE
            self.connection.local_settings = h2.settings.Settings(client=True, initial_values={code: window})
        self.headers: dict[int, dict[str, str]] = {}
        self.data: dict[int, bytes] = {}
        self.goaway: h2.events.ConnectionTerminated | None = None
        self.resets: dict[int, int] = {}
        self.gone = False
        self._acknowledged = 0
        self._changed = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Caller:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self.connection.initiate_connection()
        await self.flush()
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._reading is not None
        self._reading.cancel()
        await asyncio.wait([self._reading])
        self._writer.transport.abort()

    async def flush(self) -> None:
        with suppress(ConnectionError):
            self._writer.write(self.connection.data_to_send())
            await self._writer.drain()

    async def begin(
        self, path: str, metadata: Metadata = (), *, end: bool = False, flush: bool = True
    ) -> int:
        """Opens a stream by its headers. Returns its id. Without `flush` they go with the first message."""
        stream = self.connection.get_next_available_stream_id()
        head = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x")]
        head += [("content-type", "application/grpc"), ("te", "trailers"), *metadata]
        self.connection.send_headers(stream, head, end_stream=end)
        if flush:
            await self.flush()
        return stream

    async def send(self, stream: int, body: bytes, *, end: bool = True) -> int:
        """Sends as much as the peer's windows let through. Returns how many bytes: fewer if it hung up, or
        reset the stream.
        """
        at = 0
        while at < len(body) and not (self.gone or stream in self.resets or self.status(stream)):
            try:
                window = self.connection.local_flow_control_window(stream)
                size = min(window, self.connection.max_outbound_frame_size, len(body) - at)
                if size <= 0:
                    await self._change()
                    continue
                last = at + size == len(body)
                self.connection.send_data(stream, body[at : at + size], end_stream=end and last)
            except h2.exceptions.ProtocolError:
                break
            at += size
            await self.flush()
        return at

    def status(self, stream: int) -> str:
        """The grpc-status of the call, "" while there is none."""
        return self.headers.get(stream, {}).get("grpc-status", "")

    async def ended(self, stream: int) -> str:
        """Waits until the call has a status, was reset, or the connection is gone. Returns the status."""
        while not (self.status(stream) or stream in self.resets or self.gone):
            await self._change()
        return self.status(stream)

    async def answered(self, pings: int) -> None:
        """Waits until so many pings are answered, or the connection is gone."""
        while self._acknowledged < pings and not self.gone:
            await self._change()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(1 << 16):
                for event in self.connection.receive_data(data):
                    self._take(event)
                await self.flush()
                self._changed.set()
        except (ConnectionError, h2.exceptions.ProtocolError):
            pass
        finally:
            self.gone = True
            self._changed.set()

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                self.headers.setdefault(event.stream_id, {}).update(dict(event.headers))  # type: ignore[arg-type]  # text, by header_encoding
            case h2.events.DataReceived():
                self.data[event.stream_id] = self.data.get(event.stream_id, b"") + event.data
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamReset():
                self.resets[event.stream_id] = int(event.error_code)
            case h2.events.ConnectionTerminated():
                self.goaway = event
            case h2.events.PingAckReceived():
                self._acknowledged += 1


@asynccontextmanager
async def callers(port: int, number: int) -> AsyncIterator[list[Caller]]:
    """So many connections, all closed in the end."""
    made = [Caller(port) for _ in range(number)]
    try:
        for caller in made:
            await caller.__aenter__()
        yield made
    finally:
        for caller in made:
            if caller._reading is not None:
                await caller.__aexit__(None, None, None)
