import grpc
import pytest
from google.rpc import error_details_pb2  # type: ignore[import-untyped]

from service.domain.errors import Reason, TurnError
from service.gen.trunkline.v1 import session_pb2 as pb
from service.gen.trunkline.v1.message_pb2 import Tool
from tests.integration.rpc.test_completion import detail, failed, info


async def test_a_session_from_warm_to_released(sessions):
    warm = await sessions.WarmSession(pb.WarmSessionRequest(session_id="s"))
    assert (warm.session.session_id, warm.session.live) == ("s", True)
    assert (await sessions.GetSession(pb.GetSessionRequest(session_id="s"))).session == warm.session
    for _ in range(2):  # the second is a no-op
        await sessions.ReleaseSession(pb.ReleaseSessionRequest(session_id="s"))
    error = await failed(sessions.GetSession(pb.GetSessionRequest(session_id="s")))
    assert error.code() is grpc.StatusCode.NOT_FOUND
    assert info(error) == ("SESSION_NOT_FOUND", {"sent": "false", "events_emitted": "0"})


async def test_prime(sessions, manager):
    request = pb.WarmSessionRequest(session_id="s", model="gpt", tools=[Tool(name="look")], prime=True)
    await sessions.WarmSession(request)
    ((tenant, prime),) = manager.calls
    assert (tenant, prime.model, prime.tools[0].name, prime.messages) == ("", "gpt", "look", ())


async def test_a_warm_up_without_a_connection_fails(sessions, manager):
    manager.refused = TurnError(Reason.CONNECT_FAILED, "no route")
    error = await failed(sessions.WarmSession(pb.WarmSessionRequest(session_id="s")))
    assert (error.code(), info(error)[0]) == (grpc.StatusCode.UNAVAILABLE, "CONNECT_FAILED")


async def test_pages(sessions):
    names = [f"s{number}" for number in range(5)]
    for name in reversed(names):
        await sessions.WarmSession(pb.WarmSessionRequest(session_id=name))
    seen, token = [], ""
    for size in (2, 2, 1):
        page = await sessions.ListSessions(pb.ListSessionsRequest(page_size=2, page_token=token))
        assert (len(page.sessions), page.replica) == (size, "blue")
        seen += [session.session_id for session in page.sessions]
        token = page.next_page_token
    assert (seen, token) == (names, "")


async def test_a_full_last_page_is_the_last(sessions):
    for name in ("a", "b"):
        await sessions.WarmSession(pb.WarmSessionRequest(session_id=name))
    page = await sessions.ListSessions(pb.ListSessionsRequest(page_size=2))
    assert (len(page.sessions), page.next_page_token) == (2, "")


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("WarmSession", pb.WarmSessionRequest(session_id="s", prime=True), "model"),
        ("GetSession", pb.GetSessionRequest(), "session_id"),
        ("ReleaseSession", pb.ReleaseSessionRequest(session_id="/"), "session_id"),
        ("ListSessions", pb.ListSessionsRequest(page_token="?"), "page_token"),
    ],
)
async def test_bad_input(sessions, method, request_, field):
    error = await failed(getattr(sessions, method)(request_))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert [one.field for one in detail(error, error_details_pb2.BadRequest).field_violations] == [field]


async def test_a_bug_ends_as_internal(sessions, manager, caplog):
    manager.refused = KeyError("s3cret")
    error = await failed(sessions.WarmSession(pb.WarmSessionRequest(session_id="s")))
    assert (error.code(), info(error)[0]) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "unexpected KeyError" in caplog.text
    assert "s3cret" not in caplog.text
