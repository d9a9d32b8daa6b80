import pytest

from service.domain.errors import Reason, TurnError
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import session_pb2
from service.rpc.convert.parsing import parse

BOUNDS = {"max_bytes": 2**20, "max_messages": 10}


async def refused(kind, raw):
    with pytest.raises(TurnError) as caught:
        await parse(kind, raw, **BOUNDS)
    assert caught.value.reason is Reason.INVALID_REQUEST
    return caught.value.violations[0]


@pytest.mark.parametrize("characters", [5, 100_000])
async def test_a_request_comes_as_it_was_sent(characters):
    sent = pb.CompleteRequest(session_id="s", instructions="x" * characters)
    assert await parse(pb.CompleteRequest, sent.SerializeToString(), **BOUNDS) == sent


async def test_a_request_that_is_too_large_is_not_parsed():
    violation = await refused(pb.CompleteRequest, b"\xff" * (2**20 + 1))
    assert violation.description == "has 1048577 bytes; at most 1048576 are allowed"


@pytest.mark.parametrize(
    "kind",
    [session_pb2.GetSessionRequest, session_pb2.ListSessionsRequest, session_pb2.ReleaseSessionRequest],
)
async def test_a_call_about_a_session_is_small(kind):
    assert "at most 65536" in (await refused(kind, b"\xff" * 65_537)).description


@pytest.mark.parametrize("size", [4, 100_000])
async def test_bytes_that_are_no_message_are_refused(size):
    assert (await refused(pb.StreamCompletionRequest, b"\xff" * size)).field == "request"


async def test_a_large_request_is_counted_before_it_is_parsed():
    raw = pb.CompleteRequest(messages=[{}] * 20_000).SerializeToString()
    assert (await refused(pb.CompleteRequest, raw)).field == "messages"


async def test_a_long_request_id_is_refused_where_it_is_read():
    raw = pb.StreamCompletionRequest(request_id="x" * 100_000).SerializeToString()
    assert (await refused(pb.StreamCompletionRequest, raw)).field == "request_id"


async def test_a_large_warm_up_is_parsed():
    sent = session_pb2.WarmSessionRequest(session_id="s", instructions="x" * 100_000)
    assert await parse(session_pb2.WarmSessionRequest, sent.SerializeToString(), **BOUNDS) == sent
