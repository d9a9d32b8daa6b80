"""A manager that plays a script of what a turn does, and records what it saw."""

import asyncio
from contextlib import asynccontextmanager

from service.domain.errors import Reason, TurnError
from service.domain.events import Completed, Started, StopReason, TextDelta, Usage
from service.domain.messages import Message, Role, TextPart, Transport
from service.domain.plan import ContextReason
from service.domain.report import LineState, SessionView, TransportReason, TurnReport
from service.sessions.budget import Budget

ANSWER = Message(Role.ASSISTANT, (TextPart("hello"),))
STARTED = Started("resp_1", "gpt-1", 1.0)
COMPLETED = Completed(
    "resp_1", "gpt-1", 1.0, ANSWER, StopReason.STOP, Usage(total_tokens=3), continuable=True
)


def text(delta):
    return TextDelta(0, delta)


class FakeTurn:
    """`steps` are batches to yield, errors to raise, events to wait for."""

    def __init__(self, steps, dispatched):
        self.steps = steps
        self.dispatched = dispatched
        self.usage = Usage(total_tokens=2)
        self.yielded = 0
        self.left = asyncio.Event()
        self.left_by = None

    async def batches(self):
        try:
            for step in self.steps:
                if isinstance(step, Exception):
                    raise step  # noqa: TRY301  that is the script
                if isinstance(step, asyncio.Event):
                    await step.wait()
                else:
                    self.yielded += 1
                    yield step
        except BaseException as error:
            self.left_by = type(error)
            raise
        finally:
            self.left.set()

    def report(self):
        reason = ContextReason.FIRST_TURN if self.dispatched else None
        attempts = int(self.dispatched)
        return TurnReport(
            "turn_1", Transport.WEBSOCKET, TransportReason.PREFERRED, context_reason=reason, attempts=attempts
        )

    def partial(self):
        return ANSWER


class FakeFinder:
    """Shows sessions, and remembers what was to be cancelled."""

    def __init__(self):
        self.views = {}
        self.cancelled = []

    def session(self, tenant, session_id):
        if (tenant, session_id) not in self.views:
            raise TurnError(Reason.SESSION_NOT_FOUND, "unknown")
        return self.views[tenant, session_id]

    def sessions(self, tenant, after, limit):
        names = sorted(name for owner, name in self.views if owner == tenant and name > after)
        return [self.views[tenant, name] for name in names[:limit]]

    async def cancel(self, tenant, session_id, **name):
        self.cancelled.append((tenant, session_id, name))


class FakeManager:
    """Plays one script for every turn. `refused` is raised before it, `at_exit` after it; `limit` in s.

    `scope`: the timeout of the last turn.
    """

    def __init__(self):
        self.steps = []
        self.dispatched = True
        self.refused_early = None
        self.refused = None
        self.at_exit = None
        self.limit = None
        self.scope = None
        self.begun = asyncio.Event()
        self.calls = []
        self.turns = []
        self.finder = FakeFinder()
        self.views = self.finder.views

    def refused_unread(self):
        """A request was refused in the middle."""

    def check(self, caller, call=None, *, warm_up=False):
        if self.refused_early is not None:
            raise self.refused_early

    def hold(self, caller, size):
        return Budget(2**27, 2**25).hold(caller, size)

    @asynccontextmanager
    async def turn(self, caller, request, call=None):
        self.calls.append((caller.tenant, request))
        if self.refused is not None:
            raise self.refused
        turn = FakeTurn(self.steps, self.dispatched)
        self.turns.append(turn)
        self.begun.set()
        try:
            async with asyncio.timeout(self.limit) as self.scope:
                yield turn
        except TimeoutError as error:
            raise TurnError(Reason.INTERRUPTED, "the grace is over") from error
        if self.at_exit is not None:
            raise self.at_exit

    async def warm(self, caller, session_id, prime, model=""):
        tenant = caller.tenant
        self.calls.append((tenant, prime))
        if self.refused is not None:
            raise self.refused
        view = self.views[tenant, session_id] = SessionView(session_id, LineState.IDLE, 0, 0, 0, 1.0, 1.0)
        return view

    def release(self, tenant, session_id):
        self.views.pop((tenant, session_id), None)
