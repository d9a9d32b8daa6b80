"""A call ends once, with its answer or with the status of its failure."""

from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from service.domain.compaction import Compacted
from service.domain.errors import Reason, TurnError
from service.domain.events import Usage
from service.domain.limits import LARGE_BYTES
from service.domain.messages import Message, Role, UpstreamItemPart
from service.domain.tenant import Caller
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.rpc.auth.callers import CALLER
from service.rpc.compaction import compact
from tests.integration.rpc.fakes import FakeManager
from tests.parts import server_settings
from tests.stack import user

ASKED = pb.CompactRequest(session_id="s", model="m", messages=[user("Hello.")], store=True)
SEALED = Message(Role.USER, (UpstreamItemPart("compaction", '{"type":"compaction"}'),))


class Context:
    """A call's context, as far as one without a stream needs it."""

    status: grpc.StatusCode | None = None

    async def abort(self, code, *_):
        self.status = code
        raise grpc.aio.AbortError


class Compactions:
    """Answers with `answer`, or raises it."""

    def __init__(self, answer: Compacted | Exception) -> None:
        self.answer = answer
        self.asked: Any = None

    async def run(self, compaction, _call):
        self.asked = compaction.request
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


async def answer_of(answer, asked=ASKED, **settings):
    CALLER.set(Caller())
    manager: Any = FakeManager()
    manager.compactions = Compactions(answer)
    context: Any = Context()
    try:
        return await compact(
            manager, server_settings(**settings), asked.SerializeToString(), context
        ), manager
    except grpc.aio.AbortError:
        return context.status, manager


@pytest.mark.parametrize("size", [10, LARGE_BYTES + 1])
async def test_what_the_upstream_answered_is_the_answer(size):
    answer, manager = await answer_of(Compacted("resp_1", 7.0, (SEALED,), Usage(1, 0, 0, 2, 0, 3), {}, size))
    assert (answer.response_id, answer.created_at.seconds, answer.provider) == ("resp_1", 7, "openai")
    assert answer.messages[0].parts[0].upstream_item.type == "compaction"
    assert answer.usage.total_tokens == 3
    assert manager.compactions.asked.options.store is True


async def test_what_it_did_not_say_is_unset():
    answer, _ = await answer_of(Compacted("", 0.0, (SEALED,), None, {}, 1))
    assert (answer.HasField("usage"), answer.HasField("created_at")) == (False, False)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TurnError(Reason.RATE_LIMITED, "slow"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (ZeroDivisionError(), grpc.StatusCode.INTERNAL),
    ],
)
async def test_a_failure_is_a_status(error, code):
    assert (await answer_of(error))[0] is code


async def test_a_bad_request_runs_nothing():
    code, manager = await answer_of(SimpleNamespace(), pb.CompactRequest())
    assert (code, manager.compactions.asked) == (grpc.StatusCode.INVALID_ARGUMENT, None)
