"""Serve sessions: `SessionService`.

It keeps no session and asks the manager each time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, TypeVar

from service.domain.limits import LARGE_BYTES
from service.domain.tenant import Caller
from service.gen.trunkline.v1 import session_pb2 as pb
from service.rpc.auth.callers import CALLER
from service.rpc.convert.parsing import parse
from service.rpc.convert.requests import page_token, read_page, read_prime, read_session_id, read_turn_name
from service.rpc.convert.responses import session_out
from service.rpc.failure import NOTHING_SENT, Context, end, failure_of
from service.rpc.settings import ServerSettings
from service.workers import aside

if TYPE_CHECKING:
    from service.sessions.manager import Manager

_Response = TypeVar("_Response")


def _reporting_errors(
    handler: Callable[[SessionService, bytes], Awaitable[_Response]],
) -> Callable[[SessionService, bytes, Context], Awaitable[_Response]]:
    """Wrap a handler so that what it raises becomes the status of the call."""

    @wraps(handler)
    async def call(self: SessionService, raw: bytes, context: Context) -> _Response:
        try:
            return await handler(self, raw)
        except Exception as error:  # noqa: BLE001  any error ends the call once, with its status
            await end(context, failure_of(error), NOTHING_SENT)

    return call


class SessionService:
    """Each method gets the raw bytes of its request."""

    def __init__(self, manager: Manager, settings: ServerSettings) -> None:
        self._parse = partial(parse, max_bytes=settings.max_request_bytes, max_messages=settings.max_messages)
        self._manager = manager
        self._replica = settings.replica

    @_reporting_errors
    async def WarmSession(self, raw: bytes) -> pb.WarmSessionResponse:  # noqa: N802
        caller = CALLER.get()
        caller.check_size(len(raw))
        self._manager.check(caller, warm_up=True)
        with self._manager.hold(caller, len(raw)):
            return await self._warmed(caller, raw)

    async def _warmed(self, caller: Caller, raw: bytes) -> pb.WarmSessionResponse:
        request = await self._parse(pb.WarmSessionRequest, raw)
        if len(raw) > LARGE_BYTES:
            prime = await aside(partial(read_prime, request, len(raw)))
        else:
            prime = read_prime(request, len(raw))
        if request.model:
            caller.check_model(request.model)
        view = await self._manager.warm(caller, request.session_id, prime, request.model)
        return pb.WarmSessionResponse(session=session_out(view))

    @_reporting_errors
    async def GetSession(self, raw: bytes) -> pb.GetSessionResponse:  # noqa: N802
        request = await self._parse(pb.GetSessionRequest, raw)
        view = self._manager.finder.session(CALLER.get().tenant, read_session_id(request))
        return pb.GetSessionResponse(session=session_out(view))

    @_reporting_errors
    async def ListSessions(self, raw: bytes) -> pb.ListSessionsResponse:  # noqa: N802
        after, size = read_page(await self._parse(pb.ListSessionsRequest, raw))
        views = self._manager.finder.sessions(
            CALLER.get().tenant, after, size + 1
        )  # one more shows whether there is a next page
        return pb.ListSessionsResponse(
            sessions=[session_out(view) for view in views[:size]],
            next_page_token=page_token(views[size - 1].session_id) if len(views) > size else "",
            replica=self._replica,
        )

    @_reporting_errors
    async def ReleaseSession(self, raw: bytes) -> pb.ReleaseSessionResponse:  # noqa: N802
        request = await self._parse(pb.ReleaseSessionRequest, raw)
        self._manager.release(CALLER.get().tenant, read_session_id(request))
        return pb.ReleaseSessionResponse()

    @_reporting_errors
    async def CancelTurn(self, raw: bytes) -> pb.CancelTurnResponse:  # noqa: N802
        session_id, turn = read_turn_name(await self._parse(pb.CancelTurnRequest, raw))
        await self._manager.finder.cancel(CALLER.get().tenant, session_id, **turn)
        return pb.CancelTurnResponse()
