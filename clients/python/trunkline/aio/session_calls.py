"""The calls about sessions of the asyncio client."""

import uuid
from abc import abstractmethod
from collections.abc import AsyncIterator
from typing import Any

from trunkline.base import BaseClient
from trunkline.gen.trunkline.v1 import session_pb2
from trunkline.gen.trunkline.v1.session_pb2_grpc import SessionServiceStub
from trunkline.health import HealthStub, health_request, health_word
from trunkline.requests import cancel_request, warm_request
from trunkline.sessions import Session, SessionPage, page_from, session_from
from trunkline.tools import Tools


class AsyncSessionCalls(BaseClient):
    """What `AsyncClient` offers about sessions, their turns, and the health of the service."""

    async def warm_session(
        self,
        session_id: str,
        *,
        model: str = "",
        instructions: str = "",
        tools: Tools = (),
        prime: bool = False,
        timeout: float | None = None,
    ) -> Session:
        """Opens the line before the first turn; `prime` also sends model, instructions and tools ahead."""
        request = warm_request(session_id, model, instructions, tools, prime)
        return session_from((await self._unary(SessionServiceStub, "WarmSession", request, timeout)).session)

    async def get_session(self, session_id: str, *, timeout: float | None = None) -> Session:
        """What the service remembers. Unknown: `TrunklineError` (SESSION_NOT_FOUND)."""
        request = session_pb2.GetSessionRequest(session_id=session_id)
        return session_from((await self._unary(SessionServiceStub, "GetSession", request, timeout)).session)

    async def list_sessions(
        self, *, page_size: int = 0, page_token: str = "", near: str = "", timeout: float | None = None
    ) -> SessionPage:
        """One page of the caller's sessions on the replica that answers. `sessions` reads all pages.

        `near` is a session id: the load balancer leads the call to the replica of that session.
        """
        request = session_pb2.ListSessionsRequest(page_size=page_size, page_token=page_token)
        return page_from(await self._unary(SessionServiceStub, "ListSessions", request, timeout, near=near))

    async def sessions(self, *, near: str = "", timeout: float | None = None) -> AsyncIterator[Session]:
        """All of the caller's sessions on one replica, page after page: that of `near`, or any."""
        near = near or uuid.uuid4().hex
        page = await self.list_sessions(near=near, timeout=timeout)
        while True:
            for session in page.sessions:
                yield session
            if not page.next_page_token:
                return
            page = await self.list_sessions(page_token=page.next_page_token, near=near, timeout=timeout)

    async def release_session(self, session_id: str, *, timeout: float | None = None) -> None:
        """Lets the service forget a session and close its line. Unknown: nothing happens."""
        request = session_pb2.ReleaseSessionRequest(session_id=session_id)
        await self._unary(SessionServiceStub, "ReleaseSession", request, timeout)

    async def cancel_turn(
        self, session_id: str, *, turn_id: str = "", turn_key: str = "", timeout: float | None = None
    ) -> None:
        """Stop a running turn, by its id or by its key. Unknown: `TrunklineError` (TURN_NOT_FOUND)."""
        request = cancel_request(session_id, turn_id=turn_id, turn_key=turn_key)
        await self._unary(SessionServiceStub, "CancelTurn", request, timeout)

    async def health(self, service: str = "", *, timeout: float | None = None) -> str:
        """ "serving" or "not_serving", of the replica that answers. Needs no token."""
        return health_word(await self._unary(HealthStub, "Check", health_request(service), timeout))

    @abstractmethod
    async def _unary(
        self,
        service: Any,
        method: str,
        request: Any,
        timeout: float | None,
        *,
        resume: bool = False,
        near: str = "",
    ) -> Any:
        """Make a call with one answer, and try again where that is safe. Raises `TrunklineError`."""
