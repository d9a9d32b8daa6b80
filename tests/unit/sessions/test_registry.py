"""Sessions are remembered for a time, and are visible to their tenant only."""

import pytest

from service.domain.errors import Reason, TurnError
from service.sessions.registry import Registry
from service.sessions.session import SessionState

WALL = 1_790_000_000.0


def test_a_session_is_found_again_by_its_tenant_only():
    registry = Registry(10, 300)
    session, evicted = registry.open("a", "s", 1.0, WALL)
    assert evicted is None
    assert registry.open("a", "s", 2.0, WALL) == (session, None)
    assert registry.find("a", "s") is session
    assert registry.find("b", "s") is None
    assert registry.open("b", "s", 2.0, WALL)[0] is not session
    assert len(registry) == 2
    assert repr(registry) == "Registry(2 sessions of 2 tenants)"


def test_the_least_recently_used_idle_session_is_evicted():
    registry = Registry(2, 300)
    first, _ = registry.open("a", "1", 1.0, WALL)
    second, _ = registry.open("a", "2", 2.0, WALL)
    registry.open("b", "1", 0.0, WALL)
    registry.touch(first, 3.0, WALL)
    _, evicted = registry.open("a", "3", 4.0, WALL)
    assert evicted is second
    assert evicted.state is SessionState.RELEASED
    assert registry.find("a", "2") is None
    assert registry.find("b", "1") is not None


def test_busy_sessions_are_never_evicted():
    registry = Registry(1, 300)
    session, _ = registry.open("a", "1", 1.0, WALL)
    assert session.begin()
    with pytest.raises(TurnError, match="TRUNKLINE_MAX_SESSIONS") as caught:
        registry.open("a", "2", 2.0, WALL)
    assert caught.value.reason is Reason.OVERLOADED


def test_only_unused_sessions_expire():
    registry = Registry(10, 300)
    old, _ = registry.open("a", "old", 0.0, WALL)
    busy, _ = registry.open("a", "busy", 0.0, WALL)
    assert busy.begin()
    new, _ = registry.open("b", "new", 100.0, WALL)
    assert registry.expire(300.0) == [old]
    assert list(registry) == [busy, new]
    assert registry.expire(301.0) == []
    assert registry.expire(401.0) == [new]
    assert registry.find("b", "new") is None


@pytest.mark.parametrize("step", [3600.0, -86_400.0])
def test_a_step_of_the_wall_clock_does_not_change_expiry(step):
    registry = Registry(10, 300)
    session, _ = registry.open("a", "s", 0.0, WALL)
    registry.touch(session, 10.0, WALL + step)
    assert registry.expire(309.0) == []
    assert registry.expire(310.0) == [session]
    view = session.view()
    assert (view.created_at, view.last_used_at) == (WALL, WALL + step), "shown as the wall has it"


def test_pages_are_in_order_of_the_ids():
    registry = Registry(10, 300)
    for name in ("c", "a", "b"):
        registry.open("t", name, 0.0, WALL)
    assert [session.id for session in registry.page("t", "", 2)] == ["a", "b"]
    assert [session.id for session in registry.page("t", "b", 2)] == ["c"]
    assert registry.page("unknown", "", 2) == []


def test_a_removed_session_can_be_opened_again():
    registry = Registry(10, 300)
    session, _ = registry.open("a", "s", 0.0, WALL)
    registry.remove(session)
    assert session.state is SessionState.RELEASED
    again, _ = registry.open("a", "s", 0.0, WALL)
    assert again is not session
    registry.remove(session)
    registry.touch(session, 9.0, WALL)
    assert registry.find("a", "s") is again


def test_a_tenant_may_have_a_lower_limit_of_its_own():
    registry = Registry(2, 300)
    first, _ = registry.open("a", "1", 0, WALL, 1)
    second, evicted = registry.open("a", "2", 0, WALL, 1)
    assert evicted is first
    assert second.begin()
    with pytest.raises(TurnError, match=r"all 1 sessions of this tenant are busy \(max_sessions\)"):
        registry.open("a", "3", 0, WALL, 1)
    assert registry.open("a", "3", 0, WALL, 5)[1] is None
