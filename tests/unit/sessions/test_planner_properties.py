"""Whatever changes between turns, the upstream has the caller's history: nothing lost, nothing twice.

Settings, effort, `store`, lines, SSE, replicas, tokens, failures, forks, edits and what the caller leaves out
of answers change as Hypothesis wants. The upstream of the test remembers what it was sent, as a real one
does: a stored response for every connection, another one on its own connection until the next.
"""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.config.settings import Settings
from service.domain.errors import Reason, TurnError
from service.domain.events import Completed, StopReason, Usage
from service.domain.messages import Item, Message, ReasoningPart, Role, TextPart, items_of
from service.domain.plan import MINIMAL_BASIS, STRICT_BASIS, ContextReason, Plan
from service.sessions.chaining import Chaining
from service.sessions.planner import Planner
from service.sessions.session import Session
from service.sessions.settings import EndpointSettings
from service.sessions.tokens import Tokens
from service.transport.upstream import PreparedRequest

REASONS = [ContextReason.MODEL_CHANGED, ContextReason.INSTRUCTIONS_CHANGED, ContextReason.TOOLS_CHANGED]


@dataclass(frozen=True)
class Step:
    """What one turn is like. `line` None: by SSE. `token`: which of those that the caller has; -1: none."""

    replica: int
    line: int | None
    store: bool
    settings: tuple[int, ...]
    effort: str
    fork: bool
    token: int
    edit: str
    ending: str
    refuses_changes: bool
    forgets: bool


steps = st.lists(
    st.builds(
        Step,
        replica=st.integers(0, 1),
        line=st.sampled_from([None, 1, 1, 1, 2]),
        store=st.sampled_from([True, True, True, False]),
        settings=st.tuples(*[st.sampled_from([0, 0, 0, 1])] * len(REASONS)),
        effort=st.sampled_from(["", "low", "low", "high"]),
        fork=st.sampled_from([False] * 5 + [True]),
        token=st.integers(-1, 3),
        edit=st.sampled_from(["keep"] * 6 + ["drop first", "change first", "go back", "leave thoughts out"]),
        ending=st.sampled_from(["completed"] * 5 + ["incomplete", "lost", "cancelled"]),
        refuses_changes=st.booleans(),
        forgets=st.sampled_from([False] * 5 + [True]),
    ),
    max_size=12,
)


@dataclass
class Model:
    """Remember contexts: of stored responses by id, of each connection the latest."""

    stored: dict[str, tuple[tuple[Item, ...], tuple[int, ...]]] = field(default_factory=dict)
    latest: dict[tuple[int, int], tuple[str, tuple[Item, ...], tuple[int, ...]]] = field(default_factory=dict)
    count: int = 0

    def context(self, plan: Plan, line: tuple[int, int] | None, step: Step) -> tuple[Item, ...]:
        """Return what the request continues. Raises TurnError for a response that is not known."""
        if not plan.incremental:
            return ()
        on_line = self.latest.get(line) if line is not None else None
        if on_line is not None and on_line[0] == plan.previous_response_id:
            _, items, settings = on_line
        elif plan.previous_response_id in self.stored:
            items, settings = self.stored[plan.previous_response_id]
        else:
            raise TurnError(Reason.CHAIN_LOST, "unknown")
        if step.refuses_changes and settings != step.settings:
            raise TurnError(Reason.CONTINUATION_REFUSED, "changed")
        return items

    def answer(self, context: tuple[Item, ...], line: tuple[int, int] | None, step: Step) -> Message:
        self.count += 1
        said = TextPart(f"answer {self.count}")
        message = Message(Role.ASSISTANT, (ReasoningPart(f"rs_{self.count}", ("hm",)), said))
        whole = (*context, *items_of((message,)))
        response_id = f"resp_{self.count}"
        if step.store:
            self.stored[response_id] = whole, step.settings
        if line is not None:
            self.latest[line] = response_id, whole, step.settings
        return message


class Sizes:
    def sizes(self, _request: PreparedRequest, items: tuple[Item, ...]) -> list[int]:
        return [1] * len(items)


class World:
    """Two replicas with one key of tokens, one upstream, one caller."""

    def __init__(self, basis: Any) -> None:
        self.upstream = Model()
        self.sessions = [Session("tenant", "s", 0.0, 0.0) for _ in range(2)]
        self.chaining = [Chaining(lambda: 0.0, basis, models) for models in (["m"], [])]
        self.tokens = Tokens(Settings().part(EndpointSettings), lambda: 0.0)
        self.messages: list[Message] = []
        self.held: list[str] = []
        self.updates: dict[str, str] = {}
        self.asked = 0

    def turn(self, step: Step) -> Plan:
        """Take one turn. Returns what was sent at last."""
        self.edit(step.edit)
        if step.forgets:
            self.upstream.stored.clear()
        self.asked += 1
        messages = [*self.messages, Message(Role.USER, (TextPart(f"question {self.asked}"),))]
        request = PreparedRequest(
            tuple(items_of(tuple(messages))),
            b"{}",
            {reason: bytes([value]) for reason, value in zip(REASONS, step.settings, strict=True)}
            | {ContextReason.STORE_CHANGED: bytes([step.store])},
            step.store,
            model="m",
            effort=step.effort,
        )
        endpoint: Any = SimpleNamespace(
            upstream=Sizes(), chaining=self.chaining[step.replica], tokens=self.tokens
        )
        token = self.held[-1 - step.token] if 0 <= step.token < len(self.held) else ""
        planner = Planner(
            self.sessions[step.replica],
            request,
            endpoint,
            token=token,
            key=None,
            fork=step.fork,
        )
        line = step.line if not step.fork or step.line is None else 10 + self.asked
        at = (step.replica, line) if line is not None else None
        plan, known = self.attempt(planner, line, at, step)
        context = (*known, *plan.items)
        assert spoken(context) == spoken(request.items)
        assert plan.items
        self.check_effort(plan, step)
        if step.ending == "cancelled":
            return plan
        if step.ending == "lost":
            planner.moved(plan)
            again, known = self.attempt(planner, None, None, step)
            assert spoken((*known, *again.items)) == spoken(request.items)
            return again
        answer = self.upstream.answer(context, at, step)
        self.messages = [*messages, answer]
        planner.completed(plan)
        if step.ending == "completed" and planner.keeps(line):
            completed = Completed(
                f"resp_{self.upstream.count}", "m", 0.0, answer, StopReason.STOP, Usage(), continuable=True
            )
            self.held.append(planner.commit(completed, plan, line))
            assert bool(self.held[-1]) is step.store
        return plan

    def check_effort(self, plan: Plan, step: Step) -> None:
        """What counts is the last update that the upstream has, else what the request asks for."""
        asked = step.effort if plan.asked_effort is None else plan.asked_effort
        counts = plan.update or (self.updates.get(plan.previous_response_id, "") if plan.incremental else "")
        assert (counts or asked) == step.effort
        self.updates[f"resp_{self.upstream.count + 1}"] = counts

    def attempt(
        self, planner: Planner, line: int | None, at: tuple[int, int] | None, step: Step, tries: int = 2
    ) -> tuple[Plan, tuple[Item, ...]]:
        """Send the turn; once more, if its chain is refused. Returns what was sent, and what it continues."""
        assert tries, "one full resend, and no more"
        plan = planner.plan(line)
        planner.consume(plan, line)
        try:
            return plan, self.upstream.context(plan, at, step)
        except TurnError as error:
            planner.refused(error, plan)
            return self.attempt(planner, line, at, step, tries - 1)

    def edit(self, how: str) -> None:
        match how:
            case "drop first":
                del self.messages[:1]
            case "change first" if self.messages:
                self.messages[0] = Message(Role.USER, (TextPart(f"changed {self.asked}"),))
            case "go back":
                del self.messages[-2:]
            case "leave thoughts out":
                self.messages = [
                    Message(
                        message.role,
                        tuple(part for part in message.parts if not isinstance(part, ReasoningPart)),
                    )
                    for message in self.messages
                ]


def spoken(items: tuple[Item, ...]) -> list[object]:
    """What was said: the upstream may hold more of the model's own thoughts than the caller sends."""
    return [part for item in items if not item.is_optional for part in item.parts]


@given(steps, st.sampled_from([MINIMAL_BASIS, STRICT_BASIS]))
def test_the_upstream_has_the_callers_history(taken, basis):
    world = World(basis)
    for step in taken:
        world.turn(step)


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from([None, 1, 2])), min_size=2, max_size=8))
def test_stored_and_with_its_latest_token_each_turn_but_the_first_sends_the_question_alone(path):
    world = World(MINIMAL_BASIS)
    for number, (replica, line) in enumerate(path):
        step = Step(replica, line, True, (0, 0, 0), "", False, 0, "keep", "completed", False, False)
        plan = world.turn(step)
        assert (plan.incremental, len(plan.items)) == (number > 0, 1)
