"""Every door of the service, and what comes of knocking there: the columns of the matrix."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from service.gen.trunkline.v1 import completion_pb2, completion_pb2_grpc, session_pb2, session_pb2_grpc
from simulator import Received
from tests.integration.rpc.test_completion import info
from tests.stack import MODEL, request

Metadata = tuple[tuple[str, str], ...]


def bearer(token: str) -> Metadata:
    return (("authorization", f"Bearer {token}"),)


def payer(received: Received) -> str:
    """Whose key the upstream was shown."""
    headers = {name.lower(): value for name, value in received.headers.items()}
    return headers["authorization"].removeprefix("Bearer ")


class Knock:
    """One caller at all doors: over this channel, with this metadata, for this model and session."""

    def __init__(
        self, channel: Any, metadata: Metadata = (), *, model: str = MODEL, session: str = "s1"
    ) -> None:
        self._call = {"metadata": metadata}
        self._model = model
        self._session = session
        self._turns: Any = completion_pb2_grpc.CompletionServiceStub(channel)
        self._sessions: Any = session_pb2_grpc.SessionServiceStub(channel)
        self._health: Any = HealthStub(channel)
        self._reflection: Any = ServerReflectionStub(channel)

    async def warm(self) -> None:
        wanted = session_pb2.WarmSessionRequest(session_id=self._session, model=self._model)
        await self._sessions.WarmSession(wanted, **self._call)

    async def stream(self) -> None:
        wanted = request("Hello.", session=self._session, model=self._model)
        async for _ in self._turns.StreamCompletion(wanted, **self._call):
            pass

    async def complete(self) -> None:
        wanted = request("Hello.", session=self._session, model=self._model)
        same = completion_pb2.CompleteRequest.FromString(wanted.SerializeToString())
        await self._turns.Complete(same, **self._call)

    async def compact(self) -> None:
        wanted = request("Hello.", session=self._session, model=self._model)
        asked = completion_pb2.CompactRequest(
            session_id=wanted.session_id, model=wanted.model, messages=wanted.messages
        )
        await self._turns.Compact(asked, **self._call)

    async def get(self) -> None:
        await self._sessions.GetSession(session_pb2.GetSessionRequest(session_id=self._session), **self._call)

    async def list(self) -> None:
        await self._sessions.ListSessions(session_pb2.ListSessionsRequest(), **self._call)

    async def release(self) -> None:
        await self._sessions.ReleaseSession(
            session_pb2.ReleaseSessionRequest(session_id=self._session), **self._call
        )

    async def health(self) -> None:
        await self._health.Check(health_pb2.HealthCheckRequest(), **self._call)

    async def reflection(self) -> None:
        asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
        async for _ in self._reflection.ServerReflectionInfo(iter(asked), **self._call):
            pass


TURNS = ("warm", "stream", "complete", "compact")
OURS = (*TURNS, "get", "list", "release")
ANYBODY = ("health", "reflection")
DOORS = (*OURS, *ANYBODY)
"""In this order a session is made, used, looked at and released."""


async def outcome(knock: Callable[[], Awaitable[None]]) -> tuple[str, grpc.aio.AioRpcError | None]:
    """The status that a door answers with, and the error behind it."""
    try:
        await knock()
    except grpc.aio.AioRpcError as error:
        return error.code().name, error
    return "OK", None


async def refusal(knock: Callable[[], Awaitable[None]]) -> tuple[str, str]:
    """The reason and the words with which a door refuses."""
    _, error = await outcome(knock)
    assert error is not None, "it was opened"
    return info(error)[0], error.details() or ""


async def outcomes(caller: Knock, doors: Iterable[str] = DOORS) -> dict[str, str]:
    """What each door says. Whatever is refused by the service says that nothing was sent."""
    said = {}
    for door in doors:
        said[door], error = await outcome(getattr(caller, door))
        if error is not None and error.code() is not grpc.StatusCode.UNAVAILABLE:
            assert info(error)[1]["sent"] == "false"
    return said
