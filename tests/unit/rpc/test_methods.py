"""Test what happens to a call before its method runs, over a real connection and by hand."""

import asyncio
from typing import cast

import grpc
import pytest

from service.domain.errors import Reason, TurnError
from service.domain.tenant import Caller as Tenant
from service.gen.trunkline.v1 import session_pb2 as pb
from service.rpc.auth.callers import CALLER
from service.rpc.failure import Context
from service.rpc.methods import RequestReader, admit_anyone, admit_authenticated, generic_handler
from service.rpc.receiving import Receiver, Slots
from tests.attack.http2 import Caller, message

SERVICE = pb.DESCRIPTOR.services_by_name["SessionService"]
GET = f"/{SERVICE.full_name}/GetSession"
PATIENCE_S = 30
INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED = "3", "4", "8"


class Servicer:
    def __init__(self):
        self.requests = []

    async def GetSession(self, request, context):  # noqa: N802
        self.requests.append(request)
        return pb.GetSessionResponse()

    ListSessions = ReleaseSession = WarmSession = CancelTurn = GetSession


class Sent:
    """A context whose caller sent this."""

    def __init__(self, raw):
        self._raw = raw

    async def read(self):
        return self._raw


@pytest.fixture
def servicer():
    return Servicer()


def reader_within(timeout_s):
    return RequestReader(Receiver(Slots(1), timeout_s, "too late"), admit_anyone, 1000)


@pytest.fixture
def reader():
    return reader_within(PATIENCE_S)


@pytest.fixture
async def port(servicer, reader):
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 1000)])
    server.add_generic_rpc_handlers((generic_handler(SERVICE, servicer, reader),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield port
    await server.stop(0)


async def outcome(port, body, *, end=True):
    async with asyncio.timeout(PATIENCE_S), Caller(port) as caller:
        stream = await caller.begin(GET, end=not body)
        if body:
            await caller.send(stream, body, end=end)
        return await caller.ended(stream), caller.headers[stream].get("grpc-message", "")


@pytest.mark.parametrize("end", [True, False])
async def test_a_message_is_served_before_or_after_the_half_close(port, servicer, end):
    body = message(pb.GetSessionRequest(session_id="s").SerializeToString())
    assert await outcome(port, body, end=end) == ("0", "")
    assert [request.session_id for request in servicer.requests] == ["s"]


async def test_a_call_without_a_message_gets_a_status(port, servicer):
    status, words = await outcome(port, b"")
    assert (status, servicer.requests) == (INVALID_ARGUMENT, [])
    assert "without a request" in words


async def test_further_messages_are_ignored(port, servicer):
    assert (await outcome(port, message(b"") + message(b"\xff")))[0] == "0"
    assert len(servicer.requests) == 1


async def test_bytes_that_are_no_request_are_refused(port):
    assert (await outcome(port, message(b"\xff")))[0] == INVALID_ARGUMENT


async def test_a_servicer_without_a_bound_gets_raw_bytes():
    taken = RequestReader(Receiver(Slots(1), 0.05, "too late"), admit_anyone)
    context = cast(Context, Sent(b"\xff"))
    assert await taken.read(pb.GetSessionRequest, context) == b"\xff"


async def test_a_message_over_the_limit_of_grpc_has_its_status(port):
    assert (await outcome(port, message(b"\0" * 1001)))[0] == RESOURCE_EXHAUSTED


class TestTooLate:
    @pytest.fixture
    def reader(self):
        return reader_within(0.05)

    async def test_a_message_whose_end_never_comes_times_out(self, port):
        status, words = await outcome(port, message(b"", announced=900), end=False)
        assert (status, words) == (DEADLINE_EXCEEDED, "too late")

    async def test_headers_without_a_message_time_out(self, port, servicer):
        async with asyncio.timeout(PATIENCE_S), Caller(port) as caller:
            stream = await caller.begin(GET)
            assert await caller.ended(stream) == DEADLINE_EXCEEDED
        assert servicer.requests == []


def refuse(_caller, _call):
    raise TurnError(Reason.SHUTTING_DOWN, "it drains")


def test_a_check_refuses_the_authenticated_caller():
    CALLER.set(Tenant("alpha"))
    assert admit_authenticated(None)() == "alpha"
    with pytest.raises(TurnError, match="it drains"):
        admit_authenticated(refuse)()


class TestRefusedUnread:
    @pytest.fixture
    def reader(self):
        def admit():
            raise TurnError(Reason.SHUTTING_DOWN, "it drains")

        return RequestReader(Receiver(Slots(1), 3600, "too late"), admit)

    async def test_a_refused_call_waits_for_no_message(self, port):
        async with asyncio.timeout(PATIENCE_S), Caller(port) as caller:
            stream = await caller.begin(GET)
            assert await caller.ended(stream) == "14"


class TestSmallOnly:
    @pytest.fixture
    def reader(self):
        return RequestReader(Receiver(Slots(1), 3600, "too late"), admit_anyone, 10)

    async def test_a_larger_message_is_refused_before_it_is_parsed(self, port):
        status, words = await outcome(port, message(b"\xff" * 11))
        assert (status, words) == (INVALID_ARGUMENT, "request: has 11 bytes; at most 10 are allowed")
