"""What runs in a session, whose connection it has, and what it shows of both."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import Mock

import pytest

from service.domain.messages import Transport
from service.domain.plan import ContextReason
from service.domain.report import LineState, Peer, TransportReason, TurnReport
from service.sessions.session import Session, SessionState
from tests.unit.sessions.conftest import fake_line, session

FREE, WARMING, RUNNING, RELEASED = SessionState
STEPS = {
    "begin": Session.begin,
    "warm": lambda one: one.begin(warm_up=True),
    "finish": Session.finish,
    "release": Session.release,
}

HERE: Any = SimpleNamespace(peer=Peer("here"))
THERE: Any = SimpleNamespace(peer=Peer("there"))


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ("", FREE),
        ("begin", RUNNING),
        ("begin finish", FREE),
        ("begin finish begin", RUNNING),
        ("warm", WARMING),
        ("warm finish", FREE),
        ("release", RELEASED),
        ("begin release", RELEASED),
        ("begin release finish", RELEASED),
        ("warm release finish", RELEASED),
    ],
)
async def test_the_steps_from_state_to_state(steps, state):
    one = session()
    for step in steps.split():
        STEPS[step](one)
    assert one.state is state
    assert one.busy == (state in (WARMING, RUNNING))


@pytest.mark.parametrize("steps", ["begin", "warm", "release"])
@pytest.mark.parametrize("warm_up", [False, True])
async def test_only_a_free_session_begins_anything(steps, warm_up):
    one = session()
    STEPS[steps](one)
    before = one.state
    assert not one.begin(warm_up=warm_up)
    assert one.state is before


@pytest.mark.parametrize("released", [False, True])
async def test_a_turn_waits_until_the_warm_up_has_ended(released):
    one = session()
    one.begin(warm_up=True)
    if released:
        one.release()
    waiting = asyncio.ensure_future(one.warmed())
    await asyncio.sleep(0)
    assert not waiting.done()
    one.finish()
    await waiting
    await one.warmed()


async def test_a_waiter_that_leaves_does_not_end_the_warm_up_for_others():
    one = session()
    one.begin(warm_up=True)
    first, second = asyncio.ensure_future(one.warmed()), asyncio.ensure_future(one.warmed())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    assert not second.done()
    one.finish()
    await second


def test_the_state_of_its_connection():
    one, line = session(), fake_line()
    states = [one.line_state]
    for step in (one.dial, one.rest, one.dial, lambda: one.attach(line), one.rest, lambda: one.detach(line)):
        step()
        states.append(one.line_state)
    none, dialing, idle, busy = LineState
    assert states == [none, dialing, none, dialing, busy, idle, none]
    assert one.line is None


def test_the_chain_goes_with_its_connection():
    one, other = session(), fake_line()
    line = fake_line()
    one.attach(line)
    one.history.commit(None, (), (), fingerprint={}, response_id="resp_1", line_id=line.id)
    one.detach(other)
    assert one.line is not None
    assert one.history.plan((), {}, line.id).reason is not ContextReason.NEW_CONNECTION
    one.detach(line)
    assert one.history.plan((), {}, line.id).reason is ContextReason.NEW_CONNECTION


def test_another_key_or_upstream_is_noticed_once():
    one, here, there = session(), HERE, THERE
    bound = [(here, b""), (here, b"a"), (here, b"a"), (there, b"a"), (there, b"a"), (here, b"")]
    assert [one.rebind(*to) for to in bound] == [None, here, None, here, None, there]
    assert one.endpoint is here


def test_a_conversation_is_foreign_until_its_new_upstream_has_answered():
    one, here, there = session(), HERE, THERE
    report = TurnReport("t", Transport.WEBSOCKET, TransportReason.PREFERRED)
    one.rebind(here, b"")
    one.rebind(there, b"")
    assert not one.foreign_to(there), "nobody has answered yet"
    one.count(report)
    assert one.foreign_to(here), "as to a fork that goes there"
    one.rebind(here, b"")
    assert one.foreign_to(here)
    one.count(report)
    assert not one.foreign_to(here)


def test_the_same_upstream_with_other_settings_is_not_foreign():
    one, changed = session(), cast(Any, SimpleNamespace(peer=Peer("here")))
    one.rebind(HERE, b"")
    one.count(TurnReport("t", Transport.WEBSOCKET, TransportReason.PREFERRED))
    assert one.rebind(changed, b"") is HERE
    assert not one.foreign_to(changed)


def test_it_stays_where_its_chain_or_its_turn_is():
    one, here, there = session(), HERE, THERE
    one.rebind(here, b"")
    assert not one.stays_at(here)
    one.begin()
    assert (one.stays_at(here), one.stays_at(there)) == (True, False)
    one.finish()
    one.history.commit(None, (), (), fingerprint={}, response_id="resp_1", line_id=None)
    assert (one.stays_at(here), one.stays_at(there)) == (True, False)
    one.rebind(there, b"")
    assert one.history.plan((), {}, 1).reason is ContextReason.UPSTREAM_CHANGED


def test_a_move_closes_what_was_open_before():
    one, before, after = session(), Mock(), Mock()
    one.move(before, None)
    one.move(after, None)
    one.move(after, None)
    before.pool.release.assert_called_once_with(one)
    after.pool.release.assert_not_called()


def test_another_key_knows_nothing():
    one = session()
    one.history.commit(None, (), (), fingerprint={}, response_id="resp_1", line_id=None)
    assert one.history.plan((), {}, None).reason is ContextReason.EMPTY_SUFFIX
    one.rebind(HERE, b"")
    one.rebind(HERE, b"a")
    assert one.history.plan((), {}, 1).reason is ContextReason.NEW_CONNECTION


def test_the_view_counts_turns_and_bytes():
    one = Session("t", "s", 5.0, 1_790_000_000.0)
    for incremental in (False, True):
        one.count(
            TurnReport(
                "t", Transport.WEBSOCKET, TransportReason.PREFERRED, incremental=incremental, bytes_saved=7
            )
        )
    view = one.view()
    assert (view.turns, view.incremental_turns, view.bytes_saved) == (2, 1, 14)
    assert view.created_at == 1_790_000_000.0
    assert repr(one) == "Session(s, free, none, 2 turns)"
