"""What one turn plans, attempt by attempt, and what its session knows afterwards."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.config.settings import Settings
from service.domain.errors import Reason, TurnError
from service.domain.events import Completed, StopReason, Usage
from service.domain.messages import Item, Message, ReasoningPart, Role, TextPart, Transport, items_of
from service.domain.plan import ContextReason
from service.domain.report import Peer, TransportReason, TurnReport
from service.sessions.chaining import MISSES, Chaining
from service.sessions.planner import Planner
from service.sessions.session import Session
from service.sessions.settings import EndpointSettings
from service.sessions.tokens import Tokens
from service.transport.upstream import PreparedRequest

LINE = 7
QUESTION = Message(Role.USER, (TextPart("a"),))
ANSWER = Message(Role.ASSISTANT, (ReasoningPart("rs_1", ("hm",)), TextPart("b")))
LOST = TurnError(Reason.CHAIN_LOST, "lost")
REFUSED = TurnError(Reason.ENCRYPTED_CONTENT_REFUSED, "refused")


class Upstream:
    """Each item has ten bytes."""

    def sizes(self, _prepared: PreparedRequest, items: tuple[Item, ...]) -> list[int]:
        return [10] * len(items)


UPSTREAM: Any = Upstream()
TOKENS = Tokens(Settings().part(EndpointSettings), lambda: 0.0)


def session() -> Session:
    return Session("tenant", "s", 0.0, 0.0)


def planner(
    one: Session, *messages: Message, store=True, fork=False, chaining=None, tools=b"", token=""
) -> Planner:
    settings = {ContextReason.TOOLS_CHANGED: tools}
    prepared = PreparedRequest(tuple(items_of(messages)), b"{}", settings, store)
    chaining = chaining or Chaining(lambda: 0.0)
    endpoint: Any = SimpleNamespace(upstream=UPSTREAM, chaining=chaining, tokens=TOKENS, peer=Peer())
    return Planner(one, prepared, endpoint, token=token, key=None, fork=fork)


def run(turn: Planner, line_id: int | None = LINE, answer: Message = ANSWER, response_id="resp_1"):
    """One attempt that ends well. Returns what was sent."""
    return run_for_token(turn, line_id, answer, response_id)[0]


def run_for_token(turn: Planner, line_id: int | None = LINE, answer: Message = ANSWER, response_id="resp_1"):
    plan = turn.plan(line_id)
    turn.consume(plan, line_id)
    turn.completed(plan)
    completed = Completed(response_id, "m", 0.0, answer, StopReason.STOP, Usage(), continuable=True)
    token = turn.commit(completed, plan, line_id) if turn.keeps(line_id) else ""
    return plan, token


def after_one_turn(*, store: bool) -> Session:
    one = session()
    run(planner(one, QUESTION, store=store))
    return one


@pytest.mark.parametrize(
    ("store", "line", "fork", "kept"),
    [
        (True, LINE, False, True),
        (True, None, False, True),
        (True, LINE, True, True),
        (False, LINE, False, True),
        (False, None, False, False),
        (False, LINE, True, False),
    ],
)
def test_what_can_be_continued_is_kept(store, line, fork, kept):
    assert planner(session(), QUESTION, store=store, fork=fork).keeps(line) is kept


@pytest.mark.parametrize(("line", "reason"), [(LINE, ContextReason.FORK), (None, ContextReason.SSE)])
def test_a_fork_neither_takes_nor_changes_the_chain(line, reason):
    one = after_one_turn(store=True)
    turn = planner(one, QUESTION, ANSWER, QUESTION, fork=True)
    assert run(turn, line, response_id="resp_2").reason is reason
    assert planner(one, QUESTION, ANSWER, QUESTION).plan(LINE).previous_response_id == "resp_1"


def test_after_a_lost_chain_the_turn_is_full_and_counts_once_it_succeeded():
    chaining = Chaining(lambda: 0.0)
    for _ in range(MISSES):
        one = after_one_turn(store=True)
        turn = planner(one, QUESTION, ANSWER, QUESTION, chaining=chaining)
        plan = turn.plan(None)
        turn.consume(plan, None)
        turn.refused(LOST, plan)
        assert run(turn, None).reason is ContextReason.CHAIN_LOST
    one = after_one_turn(store=True)
    full = planner(one, QUESTION, ANSWER, QUESTION, chaining=chaining)
    assert full.plan(LINE).reason is ContextReason.CHAINING_UNSUPPORTED
    assert full.plan(None).reason is ContextReason.SSE


@pytest.mark.parametrize(
    ("reason", "tools", "learned"),
    [
        (Reason.CONTINUATION_REFUSED, b"changed", True),
        (Reason.CONTINUATION_REFUSED, b"", False),
        (Reason.CHAIN_LOST, b"changed", False),
    ],
)
def test_a_refused_change_is_learned(reason, tools, learned):
    chaining = Chaining(lambda: 0.0)
    turn = planner(after_one_turn(store=True), QUESTION, ANSWER, QUESTION, chaining=chaining, tools=tools)
    plan = turn.plan(LINE)
    assert plan.changed == ((ContextReason.TOOLS_CHANGED,) if tools else ())
    turn.refused(TurnError(reason, "no"), plan)
    assert ContextReason.TOOLS_CHANGED not in chaining.basis("tenant"), "not before it succeeded in full"
    run(turn)
    assert (ContextReason.TOOLS_CHANGED in chaining.basis("tenant")) is learned


def test_refused_reasoning_is_left_out_of_a_full_request():
    one = after_one_turn(store=True)
    turn = planner(one, QUESTION, ANSWER, Message(Role.ASSISTANT, ANSWER.parts[:1]))
    assert turn.plan(LINE).incremental
    turn.refused(REFUSED, turn.plan(LINE))
    plan = turn.plan(LINE)
    assert plan.reason is ContextReason.TURN_NOT_COMPLETED
    assert [item.is_reasoning for item in plan.items] == [False, False]


@pytest.mark.parametrize(("store", "fork"), [(True, False), (True, True), (False, False), (False, True)])
def test_a_stored_response_has_a_token_that_continues_it_anywhere(store, fork):
    _, token = run_for_token(planner(session(), QUESTION, store=store, fork=fork))
    assert bool(token) is store
    if store:
        turn = planner(session(), QUESTION, ANSWER, QUESTION, token=token)
        for line in (LINE, None):
            plan = turn.plan(line)
            assert (plan.previous_response_id, len(plan.items)) == ("resp_1", 1)


def test_after_a_token_the_session_goes_on_by_itself():
    _, token = run_for_token(planner(session(), QUESTION))
    one = session()
    run(planner(one, QUESTION, ANSWER, QUESTION, token=token), response_id="resp_2")
    turn = planner(one, QUESTION, ANSWER, QUESTION, ANSWER, QUESTION)
    assert turn.plan(LINE + 1).previous_response_id == "resp_2"


def test_the_session_s_own_chain_comes_first_and_a_token_leads_back_to_an_earlier_response():
    one = session()
    _, token = run_for_token(planner(one, QUESTION))
    run(planner(one, QUESTION, ANSWER, QUESTION), response_id="resp_2")
    again = (QUESTION, ANSWER, QUESTION)
    assert planner(one, *again, ANSWER, QUESTION, token=token).plan(LINE).previous_response_id == "resp_2"
    assert planner(one, *again).plan(LINE).reason is ContextReason.HISTORY_EDITED
    turn = planner(one, *again, token=token)
    assert turn.plan(LINE).previous_response_id == "resp_1"
    turn.refused(LOST, turn.plan(LINE))
    assert turn.plan(LINE).reason is ContextReason.CHAIN_LOST


def test_where_the_session_missed_answers_the_token_that_knows_more_counts():
    here, there = session(), session()
    run(planner(here, QUESTION))
    _, token = run_for_token(planner(here, QUESTION, ANSWER, QUESTION), response_id="resp_2")
    run(planner(there, QUESTION), response_id="resp_0")
    messages = (QUESTION, ANSWER, QUESTION, ANSWER, QUESTION)
    assert planner(there, *messages).plan(LINE).previous_response_id == "resp_0"
    assert planner(there, *messages, token=token).plan(LINE).previous_response_id == "resp_2"
    _, older = run_for_token(planner(session(), QUESTION), response_id="resp_x")
    for useless in (older, "x"):
        assert planner(there, *messages, token=useless).plan(LINE).previous_response_id == "resp_0"


@pytest.mark.parametrize("line", [LINE, None])
def test_a_token_that_does_not_open_is_refused(line):
    turn = planner(session(), QUESTION, token="x")
    assert turn.plan(line).reason is ContextReason.TOKEN_REFUSED


def test_a_token_takes_the_chain_of_the_line_out_of_use():
    """The line knows one response only: the one that comes next."""
    one = session()
    _, token = run_for_token(planner(session(), QUESTION))
    run(planner(one, QUESTION, QUESTION, store=False))
    turn = planner(one, QUESTION, ANSWER, QUESTION, token=token)
    plan = turn.plan(LINE)
    assert plan.previous_response_id == "resp_1"
    turn.consume(plan, LINE)
    assert planner(one, QUESTION).plan(LINE).reason is ContextReason.TURN_NOT_COMPLETED


def test_a_chain_that_its_line_took_along_is_noticed():
    one = after_one_turn(store=False)
    turn = planner(one, QUESTION, ANSWER, QUESTION, store=False)
    plan = turn.plan(LINE)
    one.history.line_closed(LINE)
    with pytest.raises(TurnError, match="the line closed"):
        turn.consume(plan, LINE)


def test_a_chain_that_goes_while_the_turn_is_planned_is_noticed():
    """A large request is planned in a thread, and its line may close meanwhile."""
    one = after_one_turn(store=False)

    class Closing:
        def open(self, *_: object) -> None:
            one.history.line_closed(LINE)

    turn = planner(one, QUESTION, ANSWER, QUESTION, ANSWER, QUESTION, store=False, token="x")
    closing: Any = Closing()
    turn._tokens = closing
    plan = turn.plan(LINE)
    assert plan.incremental
    with pytest.raises(TurnError, match="the line closed"):
        turn.consume(plan, LINE)


def test_a_turn_that_moves_continues_what_is_stored_and_nothing_else():
    for store in (True, False):
        turn = planner(after_one_turn(store=store), QUESTION, ANSWER, QUESTION, store=store)
        plan = turn.plan(LINE)
        turn.consume(plan, LINE)
        turn.moved(plan)
        again = turn.plan(LINE + 1)
        assert again.incremental is store
        assert again.reason is (ContextReason.CONTINUED if store else ContextReason.NEW_CONNECTION)


def test_repr_tells_what_is_known():
    assert repr(planner(session(), QUESTION)) == "Planner(History(no chain: first_turn))"


def test_what_another_upstream_said_goes_without_ids_and_seals():
    one = session()
    one.rebind(cast(Any, SimpleNamespace(peer=Peer("elsewhere"))), b"")
    one.count(TurnReport("t", Transport.WEBSOCKET, TransportReason.PREFERRED))
    sealed = ReasoningPart("rs_1", ("hm",), "sealed")
    answer = Message(Role.ASSISTANT, (sealed, TextPart("b", item_id="msg_1")))
    plan = planner(one, QUESTION, answer, QUESTION).plan(LINE)
    assert plan.reason is ContextReason.UPSTREAM_CHANGED
    thought, text = (item.parts[0] for item in plan.items[1:3])
    assert thought == ReasoningPart("", ("hm",))
    assert text == TextPart("b")
    assert planner(one, QUESTION, fork=True).plan(LINE).reason is ContextReason.FORK
