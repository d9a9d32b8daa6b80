"""A service that does what a test says, on a real port.

It plays steps and records what came. A call takes the next script; a step is a message,
a status to end with, or a wait. It speaks the client's own stubs, so nothing of the service is in play.
"""

import asyncio
from dataclasses import dataclass

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # annotated, but not marked so
from grpc_status import rpc_status

import trunkline
from trunkline.gen.trunkline.v1 import completion_pb2 as pb
from trunkline.gen.trunkline.v1 import completion_pb2_grpc, session_pb2, session_pb2_grpc
from trunkline.gen.trunkline.v1.message_pb2 import ROLE_ASSISTANT, ROLE_USER, Message, Part, ToolCallPart

WAIT = "wait"
"""A step: stay until the caller leaves."""


@dataclass
class Fail:
    code: grpc.StatusCode
    reason: str = ""
    sent: str = "false"
    retry_after: float | None = None

    def status(self):
        details = []
        if self.reason:
            info = {"reason": self.reason, "domain": "trunkline", "metadata": {"sent": self.sent}}
            details.append(error_details_pb2.ErrorInfo(**info))
        if self.retry_after is not None:
            details.append(error_details_pb2.RetryInfo())
            details[-1].retry_delay.FromMilliseconds(int(self.retry_after * 1000))
        packed = [Any() for _ in details]
        for any_, detail in zip(packed, details, strict=True):
            any_.Pack(detail)
        status = status_pb2.Status(code=self.code.value[0], message="scripted", details=packed)
        return rpc_status.to_status(status)


BROKEN = Fail(grpc.StatusCode.UNAVAILABLE)
"""What a connection that breaks looks like: a status without a word of the service."""

DRAINING = Fail(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
START = pb.StreamCompletionResponse(start=pb.Start(turn_id="t1", transport=pb.TRANSPORT_WEBSOCKET))
RUNNING = session_pb2.SessionTurn(turn_id="t1", turn_key="k1", attached=True, last_sequence=3)
UNKNOWN = pb.StreamCompletionResponse.FromString(b"\x62\x03new")
COMPACTED = trunkline.upstream_item({"type": "compaction", "encrypted_content": "sealed"})


def delta(text):
    return pb.StreamCompletionResponse(text_delta=pb.TextDelta(delta=text))


def done(*parts, continuation=""):
    message = Message(role=ROLE_ASSISTANT, parts=parts)
    stop = pb.STOP_REASON_STOP
    if any(part.HasField("upstream_item") for part in parts):
        stop = pb.STOP_REASON_ACTION_REQUIRED
    elif any(part.HasField("tool_call") for part in parts):
        stop = pb.STOP_REASON_TOOL_USE
    ended = pb.Done(message=message, stop_reason=stop, continuation=continuation)
    return pb.StreamCompletionResponse(done=ended)


def failed(reason):
    return pb.StreamCompletionResponse(error=pb.Error(reason=reason, message="reported", retryable=True))


def says(text):
    return [START, delta(text), done(trunkline.text(text))]


def numbered(*events, after=0):
    """The events with the sequence that a service gives them."""
    made = []
    for sequence, event in enumerate(events, after + 1):
        made.append(pb.StreamCompletionResponse(sequence=sequence))
        made[-1].MergeFrom(event)
    return made


def asks(*calls):
    """Each call is (id, name, arguments), and perhaps a kind."""
    parts = [
        Part(tool_call=ToolCallPart(call_id=one, name=name, arguments=given, kind=kind[0] if kind else None))
        for one, name, given, *kind in calls
    ]
    return [START, done(*parts)]


class Scripted(completion_pb2_grpc.CompletionServiceServicer, session_pb2_grpc.SessionServiceServicer):
    def __init__(self):
        self.address = ""
        self.scripts = []
        self.requests = []
        self.metadata = []
        self.deadlines = []
        self.waiting = asyncio.Event()
        self.left = asyncio.Event()
        self.stopped: asyncio.Queue[session_pb2.CancelTurnRequest] = asyncio.Queue()

    async def StreamCompletion(self, request, context):  # noqa: N802 - gRPC's name
        """Write, and do not yield: a generator whose caller leaves during a write is not resumed."""
        try:
            for step in self._next(request, context):
                if isinstance(step, Fail):
                    await context.abort_with_status(step.status())
                elif step is WAIT:
                    await self._wait()
                else:
                    await context.write(step)
        except (asyncio.CancelledError, grpc.aio.InternalError):
            self.left.set()
            raise

    async def Complete(self, request, context):  # noqa: N802 - gRPC's name
        for step in self._next(request, context):
            if isinstance(step, Fail):
                await context.abort_with_status(step.status())
            elif step is WAIT:
                await self._wait()
            elif step.HasField("done"):
                return pb.CompleteResponse.FromString(step.done.SerializeToString())
        raise AssertionError("a script for Complete ends with done or Fail")

    async def Compact(self, request, context):  # noqa: N802 - gRPC's name
        """The last message stays, an item stands for the others."""
        for step in self._next(request, context):
            if step is WAIT:
                await self._wait()
            else:
                await context.abort_with_status(step.status())
        return pb.CompactResponse(
            messages=[Message(role=ROLE_USER, parts=[COMPACTED]), request.messages[-1]],
            usage=pb.Usage(input_tokens=7),
            response_id="resp_1",
            provider="p",
        )

    async def WarmSession(self, request, context):  # noqa: N802 - gRPC's name
        await self._refuse(request, context)
        return session_pb2.WarmSessionResponse(
            session=session_pb2.Session(session_id=request.session_id, live=True)
        )

    async def GetSession(self, request, context):  # noqa: N802 - gRPC's name
        await self._refuse(request, context)
        return session_pb2.GetSessionResponse(
            session=session_pb2.Session(session_id=request.session_id, turns=2, running_turns=[RUNNING])
        )

    async def ListSessions(self, request, context):  # noqa: N802 - gRPC's name
        """Three sessions, two a page."""
        await self._refuse(request, context)
        first = int(request.page_token or 0)
        names = ["a", "b", "c"][first : first + 2]
        sessions = [session_pb2.Session(session_id=name) for name in names]
        token = str(first + 2) if first + 2 < 3 else ""
        return session_pb2.ListSessionsResponse(sessions=sessions, next_page_token=token, replica="blue")

    async def ReleaseSession(self, request, context):  # noqa: N802 - gRPC's name
        await self._refuse(request, context)
        return session_pb2.ReleaseSessionResponse()

    async def CancelTurn(self, request, context):  # noqa: N802 - gRPC's name
        """Beside the scripts: clients send it in the background."""
        self.stopped.put_nowait(request)
        if request.turn_key == "nobody":
            await context.abort_with_status(Fail(grpc.StatusCode.NOT_FOUND, "TURN_NOT_FOUND").status())
        return session_pb2.CancelTurnResponse()

    def _next(self, request, context):
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self.deadlines.append(context.time_remaining())
        return self.scripts.pop(0)

    async def _refuse(self, request, context):
        """Session calls go well unless a script says otherwise."""
        self.scripts = self.scripts or [[]]
        for step in self._next(request, context):
            await context.abort_with_status(step.status())

    async def _wait(self):
        self.waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()
