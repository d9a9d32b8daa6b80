"""Each request for a connection, in the order of preference."""

from typing import Any

from service.domain.tenant import Caller, Credential
from service.sessions.pool_state import Decision, PoolState
from tests.unit.sessions.conftest import ANYBODY, dial, fake_line, session


def with_idle(state: PoolState, owner) -> Any:
    assert state.request(owner, ANYBODY).dial
    line = fake_line()
    dial(state, owner, line)
    state.release(line, owner)
    return line


def test_a_new_session_gets_a_place_to_dial_in():
    state = PoolState(1)
    assert state.request(session(), ANYBODY) == Decision(dial=True)
    assert state.dialing == 1


def test_the_session_s_own_connection_comes_first():
    state, owner = PoolState(4), session()
    line = with_idle(state, owner)
    with_idle(state, session("other"))
    assert state.request(owner, ANYBODY) == Decision(line=line)


def test_an_unhealthy_own_connection_is_closed_and_replaced():
    state, owner = PoolState(4), session()
    line = with_idle(state, owner)
    line.healthy = False
    assert state.request(owner, ANYBODY) == Decision(dial=True, close=(line,))
    assert owner.line is None


def test_a_spare_serves_who_has_none():
    state = PoolState(4)
    assert state.reserve_spare(1)
    spare = fake_line()
    state.dialed(spare, None)
    state.release(spare, None)
    assert state.spares == 1
    assert state.request(session(), ANYBODY) == Decision(line=spare)
    assert state.spares == 0


def test_a_spare_that_is_not_fit_is_closed():
    state = PoolState(1)
    state.reserve_spare(1)
    spare = fake_line()
    state.dialed(spare, None)
    state.release(spare, None)
    spare.healthy = False
    assert state.request(session(), ANYBODY) == Decision(dial=True, close=(spare,))


def test_a_full_pool_closes_the_least_recently_used_idle_connection():
    state, first, second = PoolState(2), session("1"), session("2")
    line = with_idle(state, first)
    with_idle(state, second)
    assert state.request(session("3"), ANYBODY) == Decision(dial=True, close=(line,))
    assert first.line is None
    assert second.line is not None


def test_connections_in_use_are_never_taken():
    state = PoolState(1)
    state.request(session("1"), ANYBODY)
    dial(state, None, fake_line())
    assert state.request(session("2"), ANYBODY) == Decision()
    assert state.full


def test_a_fork_has_no_connection_of_its_own():
    state, owner = PoolState(4), session()
    with_idle(state, owner)
    assert state.request(None, ANYBODY) == Decision(dial=True)


def test_spares_never_replace_another_connection():
    state = PoolState(1)
    with_idle(state, session())
    assert not state.reserve_spare(1)


def test_spares_are_as_many_as_wanted():
    state = PoolState(9)
    assert state.reserve_spare(2)
    assert state.reserve_spare(2)
    assert not state.reserve_spare(2)


def test_a_dial_that_failed_gives_its_place_back():
    state = PoolState(1)
    state.request(session(), ANYBODY)
    state.dialed(None, "")
    assert not state.full


def test_a_connection_that_closes_while_idle_is_forgotten():
    state, owner = PoolState(1), session()
    line = with_idle(state, owner)
    assert state.forget(line) is owner
    assert owner.line is None
    assert state.forget(line) is None
    assert not state.full


def test_only_expired_connections_are_taken_out():
    state = PoolState(2)
    old = with_idle(state, session("1"))
    with_idle(state, session("2")).healthy = False
    old.expired = True
    assert state.take_expired() == [old]
    assert state.idle == 1


def test_repr_tells_the_counts():
    state = PoolState(3)
    with_idle(state, session())
    state.request(session("2"), ANYBODY)
    assert repr(state) == "PoolState(0 leased, 1 idle, 1 dialing, limit 3)"
    assert len(state.lines()) == 1
    assert state.leased == 0


def test_who_wants_no_spare_gets_none():
    state = PoolState(2)
    spare = fake_line()
    assert state.reserve_spare(1)
    state.dialed(spare, None)
    state.release(spare, None)
    assert state.request(session(), Caller(key=Credential("k"))) == Decision(dial=True)
    assert state.spares == 1
