"""Leasing, releasing and waiting: each alone, and then in random order."""

import asyncio
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from service.domain.errors import Reason, TurnError, UpstreamDetail
from service.domain.report import LineState, TransportReason
from service.domain.tenant import Caller, Credential
from service.sessions.circuit_breaker import Breaker, State
from service.sessions.lease import Lease, NoConnectionError
from service.sessions.pool import Pool
from service.sessions.pool_state import PoolState
from service.sessions.session import Session
from service.transport.channel import Waits
from tests.unit.sessions.conftest import ANYBODY, fake_line, session


class FakeUpstream:
    """An upstream whose dials end when the test says so."""

    def __init__(self, connect_s: float = 60.0) -> None:
        self.waits = Waits(connect_s, 60.0, 60.0, 60.0, 60.0)
        self.dials: list[asyncio.Future[Any]] = []
        self.dialed: list[Any] = []

    async def dial(self, key: Any = None, trace: Any = None) -> Any:
        dial: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.dials.append(dial)
        try:
            return await dial
        finally:
            self.dials.remove(dial)

    def answer(self, error: TurnError | None = None) -> None:
        dial = next(dial for dial in self.dials if not dial.done())
        if error is None:
            self.dialed.append(fake_line())
            dial.set_result(self.dialed[-1])
        else:
            dial.set_exception(error)


FAILED = TurnError(Reason.CONNECT_FAILED, "refused")


def make(
    limit: int = 2, *, cooldown_s: float = 0.0, connect_s: float = 60.0, max_dials: int = 64
) -> tuple[Pool, Any, PoolState]:
    upstream: Any = FakeUpstream(connect_s)
    state = PoolState(limit)
    clock = asyncio.get_running_loop().time
    breaker = Breaker(cooldown_s, refusals_last=True, clock=clock, random=lambda: 0.0)
    return Pool(upstream, state, breaker, clock, max_dials=max_dials), upstream, state


async def settled() -> None:
    """Let every task run until it waits for something that only the test can do."""
    for _ in range(10):
        await asyncio.sleep(0)


async def leased(
    pool: Pool, upstream: FakeUpstream, owner, *, wait: bool = False, key: Credential | None = None
) -> Lease:
    task = asyncio.ensure_future(pool.lease(owner, Caller(owner.tenant if owner else "", key=key), wait=wait))
    await settled()
    if not task.done():
        upstream.answer()
    return await task


def end(lease: Lease, *, clean: bool) -> None:
    """End the lease; if it is not `clean`, in the middle of an answer."""
    exchange: Any = SimpleNamespace(orderly=clean)
    with lease:
        lease.carries(exchange, session(), "m")


def fail(lease: Lease, error: TurnError, source: Session, model: str = "m") -> None:
    """Fail the exchange of the session with this model over the leased connection."""
    exchange: Any = SimpleNamespace(orderly=False)
    with suppress(TurnError), lease:
        lease.carries(exchange, source, model)
        raise error


async def test_a_connection_is_dialled_once_and_kept_for_its_session():
    pool, upstream, _ = make()
    owner = session()
    lease = await leased(pool, upstream, owner)
    assert not lease.reused
    assert owner.leased
    end(lease, clean=True)
    again = await leased(pool, upstream, owner)
    assert again.reused
    assert again.line is lease.line
    assert len(upstream.dialed) == 1


async def test_original_fault_an_aborted_connection_is_never_leased_again():
    pool, upstream, state = make()
    owner = session()
    lease = await leased(pool, upstream, owner)
    end(lease, clean=False)
    assert not lease.line.open
    assert owner.line is None
    assert (state.leased, state.idle) == (0, 0)
    assert (await leased(pool, upstream, owner)).line is not lease.line


async def test_a_fork_s_connection_is_closed_with_it():
    pool, upstream, state = make()
    lease = await leased(pool, upstream, None)
    end(lease, clean=True)
    assert not lease.line.open
    assert state.idle == 0


async def test_a_released_session_s_connection_is_closed_after_the_turn():
    pool, upstream, state = make()
    owner = session()
    lease = await leased(pool, upstream, owner)
    owner.release()
    pool.release(owner)
    line: Any = lease.line
    assert line.open
    end(lease, clean=True)
    assert not line.open
    assert state.idle == 0


async def test_releasing_an_idle_session_closes_its_connection_at_once():
    pool, upstream, _ = make()
    owner = session()
    end(lease := await leased(pool, upstream, owner), clean=True)
    pool.release(owner)
    assert not lease.line.open
    assert owner.line is None
    pool.release(owner)


async def test_a_connection_that_closes_while_idle_is_not_leased_again():
    pool, upstream, _ = make()
    owner = session()
    end(lease := await leased(pool, upstream, owner), clean=True)
    lease.line.close()
    assert owner.line is None
    assert (await leased(pool, upstream, owner)).line is not lease.line


async def test_a_failed_dial_says_why_and_gives_its_place_back():
    pool, upstream, state = make(1)
    task = asyncio.ensure_future(pool.lease(session(), ANYBODY, wait=False))
    await settled()
    upstream.answer(TurnError(Reason.CONNECT_FAILED, "no", upstream=UpstreamDetail(status=426)))
    with pytest.raises(NoConnectionError) as caught:
        await task
    assert caught.value.why is TransportReason.UPGRADE_REFUSED
    assert not state.full


async def test_a_failed_dial_stops_further_dials():
    pool, upstream, _ = make(cooldown_s=60.0)
    task = asyncio.ensure_future(pool.lease(session(), ANYBODY, wait=False))
    await settled()
    upstream.answer(FAILED)
    with pytest.raises(NoConnectionError) as caught:
        await task
    assert caught.value.why is TransportReason.CONNECT_FAILED
    with pytest.raises(NoConnectionError) as caught:
        await pool.lease(session(), ANYBODY, wait=True)
    assert caught.value.why is TransportReason.COOLDOWN
    assert caught.value.retry_after == pytest.approx(60.0, abs=1.0)


async def test_a_shortage_of_this_machine_does_not_open_the_breaker():
    pool, upstream, state = make(1, cooldown_s=60.0)
    for _ in range(3):
        task = asyncio.ensure_future(pool.lease(session(), ANYBODY, wait=False))
        await settled()
        upstream.answer(TurnError(Reason.OVERLOADED, "no file left", retry_after=1.0))
        with pytest.raises(NoConnectionError) as caught:
            await task
        assert (caught.value.reason, caught.value.why) == (Reason.OVERLOADED, TransportReason.CONNECT_FAILED)
        assert not state.full
    assert (await leased(pool, upstream, session())).line.open


async def test_a_waiter_does_not_repeat_a_dial_that_failed():
    pool, upstream, _ = make(8, cooldown_s=60.0, max_dials=1)
    leases = [asyncio.ensure_future(pool.lease(session(name), ANYBODY, wait=False)) for name in "abc"]
    await settled()
    assert len(upstream.dials) == 1
    upstream.answer(FAILED)
    await settled()
    errors = [lease.exception() for lease in leases]
    assert [isinstance(error, NoConnectionError) and error.why for error in errors] == [
        TransportReason.CONNECT_FAILED,
        TransportReason.COOLDOWN,
        TransportReason.COOLDOWN,
    ]


async def failing(
    pool: Pool,
    upstream: FakeUpstream,
    reason: Reason,
    *,
    receives: bool = False,
    owner: Session | None = None,
) -> None:
    """Fail a turn over a new connection; without `owner`, in a session of its own."""
    owner = owner or session(f"s{len(upstream.dialed)}")
    lease = await leased(pool, upstream, owner)
    if receives:
        upstream.dialed[-1].receive()
    fail(lease, TurnError(reason, "no"), owner)


@pytest.mark.parametrize(
    "reason", [Reason.CONNECTION_LOST, Reason.TIMEOUT, Reason.PROTOCOL_ERROR, Reason.FRAME_REFUSED]
)
async def test_two_silent_connections_stop_further_dials(reason):
    pool, upstream, _ = make(cooldown_s=60.0)
    await failing(pool, upstream, reason)
    await failing(pool, upstream, reason)
    with pytest.raises(NoConnectionError) as caught:
        await pool.lease(session(), ANYBODY, wait=False)
    assert caught.value.why is TransportReason.COOLDOWN


async def test_one_model_alone_does_not_open_the_breaker_where_others_are_in_use():
    pool, upstream, _ = make(8, cooldown_s=60.0)
    good, bad = [await leased(pool, upstream, session(str(number))) for number in range(2)]
    end(good, clean=True)
    fail(bad, TurnError(Reason.CONNECTION_LOST, "no"), session("x"), "bad")
    for number, model in ((2, "bad"), (3, "worse")):
        assert pool._breaker.state is State.CLOSED
        lease = await leased(pool, upstream, session(str(number)))
        fail(lease, TurnError(Reason.CONNECTION_LOST, "no"), session(f"x{number}"), model)
    assert pool._breaker.state is State.OPEN


async def test_one_session_alone_does_not_open_the_breaker():
    pool, upstream, _ = make(cooldown_s=60.0)
    for _ in range(4):
        await failing(pool, upstream, Reason.TIMEOUT, owner=session("slow"))
    assert len(upstream.dialed) == 4


async def test_one_tenant_opens_it_for_no_other():
    pool, upstream, _ = make(8, cooldown_s=60.0)
    end(await leased(pool, upstream, Session("beta", "b", 0.0, 0.0)), clean=True)
    for name in "abcd":
        await failing(pool, upstream, Reason.TIMEOUT, owner=Session("alpha", name, 0.0, 0.0))
    await failing(pool, upstream, Reason.TIMEOUT, owner=Session("beta", "c", 0.0, 0.0))  # both met it
    with pytest.raises(NoConnectionError) as caught:
        await pool.lease(session(), ANYBODY, wait=False)
    assert caught.value.why is TransportReason.COOLDOWN


async def test_a_connection_of_a_callers_key_does_not_count():
    pool, upstream, _ = make(8, cooldown_s=60.0)
    for name in "abc":
        owner = session(name)
        lease = await leased(pool, upstream, owner, key=Credential("bad"))
        fail(lease, TurnError(Reason.CONNECTION_LOST, "no"), owner)
    assert len(upstream.dialed) == 3


async def test_a_failed_handshake_with_a_callers_key_does_not_count():
    pool, upstream, _ = make(8, cooldown_s=60.0)
    for _ in range(3):
        task = asyncio.ensure_future(pool.lease(session(), Caller(key=Credential("bad")), wait=False))
        await settled()
        upstream.answer(FAILED)
        with pytest.raises(NoConnectionError) as caught:
            await task
        assert caught.value.why is TransportReason.CONNECT_FAILED


@pytest.mark.parametrize("reason", [Reason.MESSAGE_TOO_BIG, Reason.UPSTREAM_ERROR])
async def test_a_close_because_of_the_request_is_not_silence(reason):
    pool, upstream, _ = make(cooldown_s=60.0)
    for _ in range(3):
        await failing(pool, upstream, reason)
    assert len(upstream.dialed) == 3


async def test_a_connection_that_received_anything_does_not_count():
    pool, upstream, _ = make(cooldown_s=60.0)
    for receives in (False, True, False, True):
        await failing(pool, upstream, Reason.CONNECTION_LOST, receives=receives)
    assert len(upstream.dialed) == 4


async def test_connections_that_fail_together_count_once():
    pool, upstream, _ = make(8, cooldown_s=60.0)
    fallen = [await leased(pool, upstream, session(name)) for name in "abcd"]
    for lease in fallen:
        assert lease.session is not None
        fail(lease, TurnError(Reason.CONNECTION_LOST, "no"), lease.session)
    last = await leased(pool, upstream, session())  # it may be dialled: so far that is one
    fail(last, TurnError(Reason.CONNECTION_LOST, "no"), session())
    with pytest.raises(NoConnectionError) as caught:
        await pool.lease(session(), ANYBODY, wait=False)
    assert caught.value.why is TransportReason.COOLDOWN


async def test_a_completed_turn_resets_the_count_of_silent_connections():
    pool, upstream, _ = make(8, cooldown_s=60.0)
    old = session("old")
    lease = await leased(pool, upstream, old)
    upstream.dialed[-1].receive()
    end(lease, clean=True)
    for _ in range(3):
        await failing(pool, upstream, Reason.CONNECTION_LOST)
        end(await pool.lease(old, ANYBODY, wait=False), clean=True)
    assert len(upstream.dialed) == 4


async def test_a_cancelled_turn_does_not_count_as_silent():
    pool, upstream, _ = make(cooldown_s=60.0)
    for _ in range(3):
        end(await leased(pool, upstream, session()), clean=False)
    assert len(upstream.dialed) == 3


async def test_a_silent_spare_counts_like_a_dialled_connection():
    pool, upstream, _ = make(cooldown_s=60.0)
    for _ in range(2):
        spare = asyncio.ensure_future(pool.dial_spare(1))
        await settled()
        upstream.answer()
        assert await spare
        await failing(pool, upstream, Reason.TIMEOUT)
    with pytest.raises(NoConnectionError):
        await pool.lease(session(), ANYBODY, wait=False)


async def test_handshakes_are_paced():
    pool, upstream, state = make(8, max_dials=2)
    leases = [asyncio.ensure_future(pool.lease(session(name), ANYBODY, wait=False)) for name in "abcde"]
    for _ in leases:
        await settled()
        assert 1 <= len(upstream.dials) <= 2
        upstream.answer()
    await asyncio.gather(*leases)
    assert state.leased == 5


async def test_waiting_too_long_for_a_handshake_opens_no_breaker():
    pool, upstream, state = make(8, cooldown_s=60.0, connect_s=0.01, max_dials=1)
    first = asyncio.ensure_future(pool.lease(session("a"), ANYBODY, wait=False))
    await settled()
    with pytest.raises(NoConnectionError) as caught:
        await pool.lease(session("b"), ANYBODY, wait=False)
    assert (caught.value.reason, caught.value.why) == (Reason.OVERLOADED, TransportReason.POOL_FULL)
    upstream.answer()
    assert (await first).line.open
    assert (state.leased, state.dialing) == (1, 0)


async def test_a_refused_key_does_not_open_the_breaker():
    pool, upstream, _ = make(cooldown_s=60.0)
    task = asyncio.ensure_future(pool.lease(session(), ANYBODY, wait=False))
    await settled()
    upstream.answer(TurnError(Reason.UPSTREAM_AUTH, "bad key"))
    with pytest.raises(TurnError, match="bad key"):
        await task
    await leased(pool, upstream, session())


async def test_a_dial_whose_caller_left_holds_nothing():
    pool, upstream, state = make(1)
    owner: Any = session()
    task = asyncio.ensure_future(pool.lease(owner, ANYBODY, wait=False))
    await settled()
    assert owner.view().line_state is LineState.DIALING
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert owner.view().line_state is LineState.NONE
    assert (state.dialing, upstream.dials) == (0, [])


async def test_without_waiting_a_full_pool_says_so_at_once():
    pool, upstream, _ = make(1)
    await leased(pool, upstream, session("1"))
    with pytest.raises(NoConnectionError, match="TRUNKLINE_MAX_CONNECTIONS") as caught:
        await pool.lease(session("2"), ANYBODY, wait=False)
    assert caught.value.why is TransportReason.POOL_FULL


async def test_who_waits_gets_the_place_that_becomes_free():
    pool, upstream, _ = make(1)
    lease = await leased(pool, upstream, session("1"))
    waiting = asyncio.ensure_future(pool.lease(session("2"), ANYBODY, wait=True))
    await settled()
    assert not waiting.done()
    end(lease, clean=True)
    await settled()
    upstream.answer()
    assert (await waiting).line is not lease.line
    assert not lease.line.open


async def test_waiting_has_an_end():
    pool, upstream, _ = make(1, connect_s=0.0)
    await leased(pool, upstream, session("1"))
    with pytest.raises(NoConnectionError):
        await pool.lease(session("2"), ANYBODY, wait=True)
    assert not pool._waiters


async def test_a_place_for_a_leaving_waiter_goes_to_another():
    pool, upstream, _ = make(1)
    lease = await leased(pool, upstream, session("1"))
    first = asyncio.ensure_future(pool.lease(session("2"), ANYBODY, wait=True))
    second = asyncio.ensure_future(pool.lease(session("3"), ANYBODY, wait=True))
    await settled()
    end(lease, clean=True)
    first.cancel()
    await settled()
    upstream.answer()
    assert (await second).line.open


async def test_spares_stand_ready_and_serve():
    pool, upstream, state = make(2)
    task = asyncio.ensure_future(pool.dial_spare(1))
    await settled()
    upstream.answer()
    assert await task
    assert not await pool.dial_spare(1)
    assert state.spares == 1
    lease = await pool.lease(session(), ANYBODY, wait=False)
    assert lease.reused


async def test_an_expired_idle_connection_is_closed():
    pool, upstream, state = make()
    owner = session()
    end(lease := await leased(pool, upstream, owner), clean=True)
    line: Any = lease.line
    line.expired = True
    pool.close_expired()
    assert not line.open
    assert state.idle == 0


class PoolMachine(RuleBasedStateMachine):
    """Lease, answer, fail, cancel, end and lose connections in random order."""

    @initialize(limit=st.integers(1, 3))
    def begin(self, limit: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.limit = limit
        self.pool, self.upstream, self.state = self.run(self.build(limit))
        self.sessions = [session("1", "a"), session("2", "a"), session("1", "b")]
        self.tasks: list[asyncio.Task[Lease]] = []
        self.leases: list[Lease] = []

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            for task in self.tasks:
                task.cancel()
            self.run(settled())
            self.loop.close()

    async def build(self, limit: int):
        return make(limit)

    def run(self, coroutine):
        return self.loop.run_until_complete(coroutine)

    def settle(self) -> None:
        self.run(settled())
        for task in [task for task in self.tasks if task.done()]:
            self.tasks.remove(task)
            if not task.cancelled() and task.exception() is None:
                self.leases.append(task.result())

    @rule(who=st.integers(0, 2), fork=st.booleans(), wait=st.booleans())
    def lease(self, who: int, fork: bool, wait: bool) -> None:
        owner = None if fork else self.sessions[who]
        caller = Caller(self.sessions[who].tenant)
        if owner is not None and not owner.begin():
            owner = None  # The manager forks where a session is busy.

        async def hold() -> Lease:
            try:
                lease: Lease = await self.pool.lease(owner, caller, wait=wait)
                return lease
            except BaseException:
                if owner is not None:
                    owner.finish()
                raise

        self.tasks.append(self.loop.create_task(hold()))
        self.settle()

    @precondition(lambda self: self.upstream.dials)
    @rule(fails=st.booleans())
    def dial_ends(self, fails: bool) -> None:
        self.upstream.answer(FAILED if fails else None)
        self.settle()

    @precondition(lambda self: self.leases)
    @rule(index=st.integers(0, 9), clean=st.booleans(), dies=st.booleans())
    def lease_ends(self, index: int, clean: bool, dies: bool) -> None:
        lease = self.leases.pop(index % len(self.leases))
        if dies:
            lease.line.close()
        end(lease, clean=clean)
        if lease.session is not None:
            lease.session.finish()
        self.settle()

    @precondition(lambda self: self.leases)
    @rule(index=st.integers(0, 9))
    def lease_ends_as_a_waiter_leaves(self, index: int) -> None:
        lease = self.leases.pop(index % len(self.leases))
        end(lease, clean=True)
        if lease.session is not None:
            lease.session.finish()
        if self.tasks:
            self.tasks[0].cancel()
        self.settle()

    @precondition(lambda self: self.tasks)
    @rule(index=st.integers(0, 9))
    def caller_leaves(self, index: int) -> None:
        self.tasks[index % len(self.tasks)].cancel()
        self.settle()

    @rule(index=st.integers(0, 9))
    def idle_line_dies(self, index: int) -> None:
        idle = list(self.state._idle)
        if idle:
            idle[index % len(idle)].close()
        self.settle()

    @rule()
    def release(self) -> None:
        self.pool.release(self.sessions[0])
        self.settle()

    @invariant()
    def never_over_the_limit(self) -> None:
        if hasattr(self, "state"):
            assert self.state.leased + self.state.idle + self.state.dialing <= self.limit
            assert sum(line.open for line in self.upstream.dialed) <= self.limit

    @invariant()
    def never_two_turns_on_one_line(self) -> None:
        if hasattr(self, "leases"):
            lines = [lease.line for lease in self.leases]
            assert len(set(lines)) == len(lines)
            assert not set(lines) & set(self.state._idle)

    @invariant()
    def no_waiter_is_lost(self) -> None:
        if hasattr(self, "pool"):
            for _, caller in self.pool._waiters._waiting:
                assert not self.state.obtainable(caller)

    @invariant()
    def the_state_has_no_connection_without_a_holder(self) -> None:
        if hasattr(self, "leases"):
            assert self.state.leased == len({lease.line for lease in self.leases if lease.line.open})
            assert self.state.dialing == len(self.upstream.dials)


TestPoolMachine = PoolMachine.TestCase
TestPoolMachine.settings = settings(
    max_examples=300, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
