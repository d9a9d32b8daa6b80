"""Serve one WebSocket: read requests, answer them in order, and end in every way that a WebSocket can.

Only the envelope of a request is checked here; its body is checked by the upstream.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from simulator import errors
from simulator.errors import ApiError, Json
from simulator.journal import Journal, Received
from simulator.memory import Slot
from simulator.scripts.faults import Close, Drop, End, Fault, Garbage, Hang, Page
from simulator.scripts.steps import Fail, Framing
from simulator.settings import Settings
from simulator.validation.request import Transport
from simulator.wires.base import ConnectionEnded, end_connection, forever
from simulator.wires.frames import error_event, refusal

CLOSE_TIMEOUT_S = 1.0
Answer = Callable[["Connection", Received], Awaitable[None]]


class Connection:
    """A client's WebSocket, from handshake to end.

    It has two tasks: one reads, since a client may leave at any time; one answers.
    """

    transport: Transport = "websocket"

    def __init__(
        self, number: str, request: web.Request, settings: Settings, journal: Journal, answer: Answer
    ) -> None:
        self.id = number
        self.slot = Slot()
        self._broken = False
        self._request = request
        self._settings = settings
        self._journal = journal
        self._answer = answer
        self._unresponsive = False
        self._age = asyncio.timeout(settings.max_age_s)
        self._events = 0
        self._waiting: asyncio.Queue[Received] = asyncio.Queue()
        self._socket: web.WebSocketResponse[Literal[False]] = web.WebSocketResponse(
            timeout=CLOSE_TIMEOUT_S,
            autoclose=False,
            autoping=False,
            compress=False,
            max_msg_size=settings.max_message_bytes,
            decode_text=False,
        )

    def __repr__(self) -> str:
        latest = self.slot.latest.response_id if self.slot.latest else None
        return f"<Connection {self.id} latest={latest} waiting={self._waiting.qsize()}>"

    @property
    def broken(self) -> bool:
        return self._broken or self._age.expired()

    async def serve(self) -> web.StreamResponse:
        """Serve until either side ends the connection. aiohttp cancels this when the client has gone."""
        await self._socket.prepare(self._request)
        if self._settings.deaf:
            self._stop_reading()
        try:
            async with self._age, asyncio.TaskGroup() as tasks:
                answering = tasks.create_task(self._answer_all())
                with contextlib.suppress(ConnectionError):
                    await self._read_all()
                answering.cancel()
        except TimeoutError:
            await self._expire()
        return self._socket

    def drop(self, code: int | None = None) -> None:
        """End the connection now: with a close frame, or by a reset without a code."""
        self._broken = True
        if code is None:
            end_connection(self._request.transport, reset=True)
        elif self._request.transport is not None:
            # Written past the library, which would wait for the peer's close frame. FIN, CLOSE, two bytes.
            self._request.transport.write(b"\x88\x02" + code.to_bytes(2, "big"))
            self._request.transport.close()

    def expire(self) -> None:
        """End the connection as one that has reached its age (`max_age_s`)."""
        self._age.reschedule(asyncio.get_running_loop().time())

    # The interface `Wire`

    def adopt(self, framing: Framing) -> None:
        """Ignore the framing: it is for server-sent events."""

    async def send(self, event: Json) -> None:
        self._events += 1
        await self._socket.send_frame(msgspec.json.encode(event), WSMsgType.TEXT)

    async def fail(self, fail: Fail) -> None:
        await self.send(error_event(fail, "nested", self._events))

    async def inject(self, fault: Fault) -> None:
        match fault:
            case Garbage():
                await self._send_garbage(fault)
            case Hang(pongs, reads):
                self._unresponsive = not pongs
                if not reads:
                    self._stop_reading()
                await forever()
            case Drop(reset):
                self._broken = True
                end_connection(self._request.transport, reset=reset)
                raise ConnectionEnded
            case Close(code, reason):
                await self._close(code, reason)
            case End():
                await self._close(WSCloseCode.OK)
            case Page():
                await self._close(WSCloseCode.INTERNAL_ERROR)

    async def _send_garbage(self, garbage: Garbage) -> None:
        match garbage.kind:
            case "text":
                await self._socket.send_frame(garbage.data, WSMsgType.TEXT)
            case "binary":
                await self._socket.send_frame(garbage.data, WSMsgType.BINARY)
            case "raw" if self._request.transport is not None:
                self._request.transport.write(garbage.data)

    async def _close(self, code: int, reason: str = "") -> None:
        self._broken = True
        await self._socket.close(code=code, message=reason.encode())
        raise ConnectionEnded

    # Reading

    async def _read_all(self) -> None:
        while True:
            message = await self._socket.receive()
            match message.type:
                case WSMsgType.TEXT:
                    await self._text(message.data)
                case WSMsgType.BINARY:
                    await self._socket.close(code=WSCloseCode.UNSUPPORTED_DATA, message=b"text frames only")
                    return
                case WSMsgType.PING:
                    self._journal.count("pings")
                    if not self._unresponsive:
                        await self._socket.pong(message.data)
                case WSMsgType.PONG:
                    pass
                case WSMsgType.CLOSE if self._unresponsive:
                    await forever()
                case WSMsgType.CLOSE:
                    await self._socket.close(code=message.data or WSCloseCode.OK)
                    return
                case _:
                    return

    async def _text(self, data: bytes) -> None:
        self._journal.count("bytes_received", len(data))
        try:
            body = _envelope(data)
        except UnicodeDecodeError:
            await self._socket.close(code=WSCloseCode.INVALID_TEXT)
        except ApiError as error:
            await self.fail(refusal(error))
        else:
            received = Received("websocket", self.id, body, len(data), dict(self._request.headers))
            self._journal.arrived(received)
            self._waiting.put_nowait(received)

    async def _answer_all(self) -> None:
        while True:
            received = await self._waiting.get()
            self._events = 0
            await self._answer(self, received)

    async def _expire(self) -> None:
        self._journal.count("expired")
        with contextlib.suppress(ConnectionError):
            await self.fail(refusal(errors.connection_limit(self._settings.max_age_s / 60)))
        await self._socket.close(code=WSCloseCode.OK)

    def _stop_reading(self) -> None:
        if self._request.transport is not None:
            self._request.transport.pause_reading()


def _envelope(data: bytes) -> Json:
    """Return the body of a `response.create`, which is flat: the event is the body. Raises ApiError."""
    try:
        body = msgspec.json.decode(data.decode())
    except (msgspec.DecodeError, RecursionError) as problem:
        raise errors.not_json() from problem
    if not isinstance(body, dict):
        raise errors.not_json()
    match body.get("type"):
        case "response.create":
            return body
        case None:
            raise errors.missing("type")
        case "response.steer":
            raise ApiError("Steering is not supported with this model.", code="steering_not_supported")
        case other:
            raise errors.wrong_value("type", other, ["response.create", "response.steer"])
