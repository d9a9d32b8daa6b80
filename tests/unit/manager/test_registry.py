"""Who is remembered, for how long, and that no tenant sees another's."""

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.messages import Transport
from service.domain.report import LineState, Timings, TransportReason, TurnReport
from service.manager.registry import Registry
from tests.unit.manager.conftest import fake_line


def test_a_session_is_found_again_by_its_tenant_only():
    registry = Registry(10, 300)
    session, evicted = registry.open("a", "s", 1.0)
    assert evicted is None
    assert registry.open("a", "s", 2.0) == (session, None)
    assert registry.find("a", "s") is session
    assert registry.find("b", "s") is None
    assert registry.open("b", "s", 2.0)[0] is not session
    assert len(registry) == 2
    assert repr(registry) == "Registry(2 sessions of 2 tenants)"


def test_over_the_limit_the_tenant_s_idle_session_used_longest_ago_makes_room():
    registry = Registry(2, 300)
    first, _ = registry.open("a", "1", 1.0)
    second, _ = registry.open("a", "2", 2.0)
    registry.open("b", "1", 0.0)
    registry.touch(first, 3.0)
    _, evicted = registry.open("a", "3", 4.0)
    assert evicted is second
    assert evicted.released
    assert registry.find("a", "2") is None
    assert registry.find("b", "1") is not None


def test_busy_sessions_are_never_evicted():
    registry = Registry(1, 300)
    session, _ = registry.open("a", "1", 1.0)
    session.holder = object()
    with pytest.raises(TurnError, match="TRUNKLINE_MAX_SESSIONS") as caught:
        registry.open("a", "2", 2.0)
    assert caught.value.reason is Reason.OVERLOADED


def test_what_nobody_used_expires_and_nothing_else():
    registry = Registry(10, 300)
    old, _ = registry.open("a", "old", 0.0)
    busy, _ = registry.open("a", "busy", 0.0)
    busy.holder = object()
    new, _ = registry.open("b", "new", 100.0)
    assert registry.expire(300.0) == [old]
    assert list(registry) == [busy, new]
    assert registry.expire(301.0) == []
    assert registry.expire(401.0) == [new]
    assert registry.find("b", "new") is None


def test_pages_are_in_order_of_the_ids():
    registry = Registry(10, 300)
    for name in ("c", "a", "b"):
        registry.open("t", name, 0.0)
    assert [session.id for session in registry.page("t", "", 2)] == ["a", "b"]
    assert [session.id for session in registry.page("t", "b", 2)] == ["c"]
    assert registry.page("unknown", "", 2) == []


def test_a_removed_session_makes_room_for_a_new_one_of_the_same_id():
    registry = Registry(10, 300)
    session, _ = registry.open("a", "s", 0.0)
    registry.remove(session)
    assert session.released
    again, _ = registry.open("a", "s", 0.0)
    assert again is not session
    registry.remove(session)
    registry.touch(session, 9.0)
    assert registry.find("a", "s") is again


def test_the_view_tells_the_line_and_the_counts():
    registry = Registry(10, 300)
    session, _ = registry.open("a", "s", 5.0)
    states = [session.line_state]
    session.dialing = True
    states.append(session.line_state)
    session.line, session.leased = fake_line(), True
    states.append(session.line_state)
    session.leased = False
    states.append(session.line_state)
    assert states == [LineState.NONE, LineState.DIALING, LineState.BUSY, LineState.IDLE]
    session.count(
        TurnReport(
            "t",
            Transport.WEBSOCKET,
            TransportReason.PREFERRED,
            incremental=True,
            bytes_saved=7,
            timings=Timings(),
        )
    )
    view = session.view()
    assert (view.turns, view.incremental_turns, view.bytes_saved, view.created_at) == (1, 1, 7, 5.0)
    assert repr(session) == "Session(s, idle, 1 turns)"


def test_a_tenant_may_have_a_lower_limit_of_its_own():
    registry = Registry(2, 300)
    first, _ = registry.open("a", "1", 0, 1)
    second, evicted = registry.open("a", "2", 0, 1)
    assert evicted is first
    second.holder = object()
    with pytest.raises(TurnError, match=r"all 1 sessions of this tenant are busy \(max_sessions\)"):
        registry.open("a", "3", 0, 1)
    assert registry.open("a", "3", 0, 5)[1] is None
