"""The handlers of sessions, called as grpc calls them."""

from typing import Any

import grpc
import pytest

from service.domain.errors import Reason, TurnError
from service.domain.report import LineState, SessionView
from service.domain.tenant import Caller
from service.gen.trunkline.v1 import session_pb2 as pb
from service.rpc.auth.callers import CALLER
from service.rpc.session_service import SessionService
from tests.integration.rpc.fakes import FakeManager
from tests.parts import server_settings


class AbortedError(Exception):
    pass


class Context:
    def __init__(self) -> None:
        self.code: grpc.StatusCode | None = None

    async def abort(self, code, _details, _trailing_metadata):
        self.code = code
        raise AbortedError


class Sessions:
    """The service of one tenant, over a manager that knows some sessions."""

    def __init__(self) -> None:
        self.manager = FakeManager()
        manager: Any = self.manager
        self.service = SessionService(manager, server_settings(replica="r1"))
        self.context = Context()
        CALLER.set(Caller("one", max_request_bytes=1000, models=("gpt-*",)))

    def know(self, tenant: str, *names: str) -> None:
        for name in names:
            view = SessionView(name, LineState.IDLE, 0, 0, 0, 1.0, 1.0)
            self.manager.views[tenant, name] = view

    async def call(self, method: str, request: Any) -> Any:
        return await getattr(self.service, method)(request.SerializeToString(), self.context)

    async def refused(self, method: str, request: Any) -> grpc.StatusCode | None:
        with pytest.raises(AbortedError):
            await self.call(method, request)
        return self.context.code


@pytest.fixture
async def sessions():
    return Sessions()


async def test_pages_follow_each_other_to_the_last(sessions):
    sessions.know("one", "a", "b", "c")
    sessions.know("two", "x")
    pages, token = [], ""
    while True:
        page = await sessions.call("ListSessions", pb.ListSessionsRequest(page_size=2, page_token=token))
        pages.append([session.session_id for session in page.sessions])
        token = page.next_page_token
        if not token:
            break
    assert pages == [["a", "b"], ["c"]]
    assert page.replica == "r1"


async def test_the_session_of_another_tenant_is_not_found(sessions):
    sessions.know("two", "a")
    request = pb.GetSessionRequest(session_id="a")
    assert await sessions.refused("GetSession", request) is grpc.StatusCode.NOT_FOUND


async def test_release_forgets_and_accepts_the_unknown(sessions):
    sessions.know("one", "a")
    for _ in range(2):
        await sessions.call("ReleaseSession", pb.ReleaseSessionRequest(session_id="a"))
    assert sessions.manager.views == {}


async def test_an_invalid_session_id_is_refused(sessions):
    request = pb.GetSessionRequest(session_id="a b")
    assert await sessions.refused("GetSession", request) is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_warm_up_returns_its_session(sessions):
    response = await sessions.call("WarmSession", pb.WarmSessionRequest(session_id="a"))
    assert response.session.session_id == "a"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (pb.WarmSessionRequest(session_id="a", model="o1"), grpc.StatusCode.PERMISSION_DENIED),
        (
            pb.WarmSessionRequest(session_id="a", instructions="x" * 1000),
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
    ],
    ids=["model", "size"],
)
async def test_a_warm_up_obeys_the_limits_of_its_tenant(sessions, request_, code):
    assert await sessions.refused("WarmSession", request_) is code
    assert sessions.manager.calls == []


async def test_a_warm_up_is_refused_before_its_request_is_read(sessions):
    sessions.manager.refused_early = TurnError(Reason.OVERLOADED, "full")
    request = pb.WarmSessionRequest(session_id="not valid")
    assert await sessions.refused("WarmSession", request) is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_bug_ends_the_call_as_internal(sessions):
    sessions.manager.finder.views = None
    request = pb.GetSessionRequest(session_id="a")
    assert await sessions.refused("GetSession", request) is grpc.StatusCode.INTERNAL


async def test_a_turn_is_cancelled_for_its_tenant(sessions):
    for name in ({"turn_id": "t"}, {"turn_key": "k"}):
        await sessions.call("CancelTurn", pb.CancelTurnRequest(session_id="a", **name))
    cancelled = [("one", "a", {"turn_id": "t"}), ("one", "a", {"turn_key": "k"})]
    assert sessions.manager.finder.cancelled == cancelled
    assert await sessions.refused("CancelTurn", pb.CancelTurnRequest()) is grpc.StatusCode.INVALID_ARGUMENT
