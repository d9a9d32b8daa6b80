"""Sessions: `SessionService`.

Owns paging. Must never hold a session: it asks the manager, each time.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from service.config import Settings
from service.gen.trunkline.v1 import session_pb2 as pb
from service.gen.trunkline.v1 import session_pb2_grpc
from service.rpc.auth import CALLER
from service.rpc.failure import NOTHING_SENT, Context, end, failure_of
from service.rpc.requests import page_token, read_page, read_prime, read_session_id
from service.rpc.responses import session_out

if TYPE_CHECKING:
    from service.manager.manager import Manager

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


def _answered(
    handler: Callable[[SessionService, _Request], Awaitable[_Response]],
) -> Callable[[SessionService, _Request, Context], Awaitable[_Response]]:
    """The handler as grpc calls it: what it raises becomes the status."""

    @functools.wraps(handler)
    async def answer(self: SessionService, request: _Request, context: Context) -> _Response:
        try:
            return await handler(self, request)
        except Exception as error:  # noqa: BLE001  whatever it is, the call ends once and says so
            await end(context, failure_of(error), NOTHING_SENT)

    return answer


class SessionService(session_pb2_grpc.SessionServiceServicer):
    def __init__(self, manager: Manager, settings: Settings) -> None:
        self._manager = manager
        self._replica = settings.replica

    @_answered
    async def WarmSession(self, request: pb.WarmSessionRequest) -> pb.WarmSessionResponse:  # noqa: N802
        prime = read_prime(request)
        caller = CALLER.get()
        if request.model:
            caller.check_model(request.model)
        view = await self._manager.warm(caller, request.session_id, prime)
        return pb.WarmSessionResponse(session=session_out(view))

    @_answered
    async def GetSession(self, request: pb.GetSessionRequest) -> pb.GetSessionResponse:  # noqa: N802
        view = self._manager.session(CALLER.get().tenant, read_session_id(request))
        return pb.GetSessionResponse(session=session_out(view))

    @_answered
    async def ListSessions(self, request: pb.ListSessionsRequest) -> pb.ListSessionsResponse:  # noqa: N802
        after, size = read_page(request)
        views = self._manager.sessions(
            CALLER.get().tenant, after, size + 1
        )  # one more tells whether there is more
        return pb.ListSessionsResponse(
            sessions=[session_out(view) for view in views[:size]],
            next_page_token=page_token(views[size - 1].session_id) if len(views) > size else "",
            replica=self._replica,
        )

    @_answered
    async def ReleaseSession(self, request: pb.ReleaseSessionRequest) -> pb.ReleaseSessionResponse:  # noqa: N802
        self._manager.release(CALLER.get().tenant, read_session_id(request))
        return pb.ReleaseSessionResponse()
