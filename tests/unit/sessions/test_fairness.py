"""Tenants share a full pool fairly."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from service.domain.tenant import Caller
from service.sessions.pool_state import Decision, PoolState
from tests.unit.sessions.conftest import fake_line, session

A, B, C = (Caller(tenant, has_peers=True) for tenant in "abc")


def fill(state: PoolState, caller: Caller, number: int) -> list[Any]:
    """Add so many idle connections of the tenant, each of another session."""
    owners = [session(f"s{n}", caller.tenant) for n in range(number)]
    for owner in owners:
        take(state, owner, caller, idle=True)
    return owners


def take(state: PoolState, owner, caller: Caller, *, idle: bool = False) -> Decision:
    decision = state.request(owner, caller)
    if decision.dial:
        line = fake_line()
        owner.attach(line)
        state.dialed(line, caller.tenant)
        if idle:
            state.release(line, owner)
    return decision


def test_a_tenant_above_the_fair_share_replaces_its_own_connection():
    state = PoolState(12)
    others = fill(state, B, 3)
    own = fill(state, Caller("a"), 9)
    assert state.full
    for number in range(50):
        (closed,) = take(state, session(f"x{number}", "a"), Caller("a"), idle=True).close
        assert closed not in {owner.line for owner in others}
    assert all(owner.line is not None for owner in others)
    assert all(owner.line is None for owner in own)


def test_the_tenant_with_most_connections_makes_room():
    state = PoolState(12)
    fill(state, B, 4)
    most = fill(state, Caller("a"), 8)
    lines = [owner.line for owner in most]
    assert take(state, session("new", "c"), C) == Decision(dial=True, close=(lines[0],))


def test_a_tenant_alone_may_have_all_connections():
    state = PoolState(8)
    fill(state, Caller("a"), 8)
    assert state.held("a") == 8


def test_of_several_tenants_none_holds_the_last_quarter():
    state = PoolState(8)
    for number in range(6):
        assert take(state, session(str(number), "a"), A).dial
    assert state.request(session("7", "a"), A) == Decision(capped=True)
    assert take(state, session("1", "b"), B).dial


def test_a_tenant_at_its_limit_replaces_its_own_connection():
    state, caller = PoolState(8), Caller("a", max_connections=2)
    first, _ = fill(state, caller, 2)
    line = first.line
    assert take(state, session("3", "a"), caller) == Decision(dial=True, close=(line,))
    assert state.held("a") == 2
    assert take(state, session("4", "a"), caller).dial
    assert state.request(session("5", "a"), caller) == Decision(capped=True)
    assert not state.obtainable(caller)


def test_spares_are_closed_before_tenants_connections():
    state = PoolState(2)
    owner = fill(state, B, 1)[0]
    assert state.reserve_spare(1)
    spare = fake_line()
    state.dialed(spare, None)
    state.release(spare, None)
    spare.healthy = False
    assert take(state, session("1", "a"), A) == Decision(dial=True, close=(spare,))
    assert owner.line is not None


class BooksMachine(RuleBasedStateMachine):
    """Request, release and lose connections of several tenants in random order."""

    @initialize(limit=st.integers(1, 12), own=st.none() | st.integers(1, 4), peers=st.booleans())
    def begin(self, limit: int, own: int | None, peers: bool) -> None:
        self.state = PoolState(limit)
        self.limit = limit
        self.callers = [Caller(tenant, has_peers=peers) for tenant in "abc"]
        self.callers.append(Caller("d", max_connections=own, has_peers=peers))
        self.dials: list[tuple[Any, Caller]] = []
        self.leased: list[tuple[Any, Any]] = []

    @rule(who=st.integers(0, 3), fork=st.booleans())
    def ask(self, who: int, fork: bool) -> None:
        caller = self.callers[who]
        owner = None if fork else session("s", caller.tenant)
        before = {caller.tenant: self.state.held(caller.tenant) for caller in self.callers}
        owners = {line: held for line, held in self.state._idle.items() if held is not None}
        fair, could = self.state.fair(caller.tenant), self.state.obtainable(caller)
        decision = self.state.request(owner, caller)
        assert could == (decision.line is not None or decision.dial)
        for line in decision.close:
            if line in owners and owners[line].tenant != caller.tenant:
                loser = owners[line].tenant
                assert before[loser] >= fair, "nobody below the fair share loses a line to another"
                assert before[loser] > before[caller.tenant], "nor to one that holds as many"
        if decision.line is not None:
            self.leased.append((decision.line, owner))
        elif decision.dial:
            self.dials.append((owner, caller))

    @rule(index=st.integers(0, 9), fails=st.booleans())
    def dial_ends(self, index: int, fails: bool) -> None:
        if self.dials:
            owner, caller = self.dials.pop(index % len(self.dials))
            line = None if fails else fake_line()
            self.state.dialed(line, caller.tenant)
            if line is not None:
                self.leased.append((line, owner))

    @rule(index=st.integers(0, 9), dies=st.booleans())
    def lease_ends(self, index: int, dies: bool) -> None:
        if self.leased:
            line, owner = self.leased.pop(index % len(self.leased))
            if dies or owner is None:
                self.state.forget(line)
            else:
                owner.attach(line)
                self.state.release(line, owner)

    @rule(index=st.integers(0, 9))
    def idle_line_dies(self, index: int) -> None:
        if self.state._idle:
            self.state.forget(list(self.state._idle)[index % self.state.idle])

    @rule()
    def spare(self) -> None:
        if self.state.reserve_spare(2):
            line = fake_line()
            self.state.dialed(line, None)
            self.state.release(line, None)

    @invariant()
    def the_counts_agree_and_nobody_is_over_a_limit(self) -> None:
        if hasattr(self, "state"):
            total = self.state.leased + self.state.idle + self.state.dialing
            assert total <= self.limit
            assert sum(self.state.held(tenant) for tenant in "abcd") == total - self.state.spares
            for caller in self.callers:
                assert self.state.held(caller.tenant) <= self.state.cap(caller)


TestBooksMachine = BooksMachine.TestCase
TestBooksMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
