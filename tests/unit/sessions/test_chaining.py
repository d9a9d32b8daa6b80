"""Chaining is paused after lost chains, for each tenant on its own."""

from service.domain.plan import MINIMAL_BASIS, STRICT_BASIS, ContextReason
from service.sessions.chaining import MAX_TENANTS, MISSES, PAUSE_S, Chaining


def test_misses_in_a_row_switch_it_off_for_a_while(clock):
    chaining = Chaining(clock)
    for _ in range(MISSES):
        assert chaining.supported("a")
        chaining.missed("a")
    assert not chaining.supported("a")
    assert repr(chaining) == "Chaining(1 of 1 tenants off)"
    clock.now += PAUSE_S
    assert chaining.supported("a")


def test_a_successful_chain_resets_the_count(clock):
    chaining = Chaining(clock)
    for _ in range(MISSES * 2):
        chaining.missed("a")
        chaining.held("a")
    assert chaining.supported("a")


def test_one_tenant_s_misses_change_nothing_for_another(clock):
    chaining = Chaining(clock)
    for _ in range(MISSES):
        chaining.missed("a")
        chaining.held("b")
    assert not chaining.supported("a")
    assert chaining.supported("b")


def test_a_chain_that_began_before_does_not_end_the_pause(clock):
    chaining = Chaining(clock)
    for _ in range(MISSES):
        chaining.missed("a")
    chaining.held("a")
    assert not chaining.supported("a")


def test_the_tenants_remembered_are_bounded(clock):
    chaining = Chaining(clock)
    for _ in range(MISSES):
        chaining.missed("first")
    for number in range(MAX_TENANTS):
        chaining.missed(str(number))
    assert chaining.supported("first")
    assert repr(chaining) == f"Chaining(0 of {MAX_TENANTS} tenants off)"


def test_the_basis_is_what_the_operator_says():
    assert Chaining(lambda: 0.0).basis("a") == MINIMAL_BASIS
    assert Chaining(lambda: 0.0, STRICT_BASIS).basis("a") == STRICT_BASIS


def test_a_refused_change_belongs_to_the_basis_for_a_while(clock):
    chaining = Chaining(clock)
    tools, effort = ContextReason.TOOLS_CHANGED, ContextReason.REASONING_CHANGED
    chaining.learn("a", (tools,))
    clock.now += 1
    chaining.learn("a", (effort,))
    assert chaining.basis("a") == MINIMAL_BASIS | {tools, effort}
    assert chaining.basis("b") == MINIMAL_BASIS
    clock.now += PAUSE_S - 1
    assert chaining.basis("a") == MINIMAL_BASIS | {effort}
    clock.now += 1
    assert chaining.basis("a") == MINIMAL_BASIS


def test_updates_go_to_the_models_that_the_operator_names_until_one_is_refused(clock):
    chaining = Chaining(clock, update_models=("gpt-6-astra", "gpt-7*"))
    assert [chaining.takes_updates("a", model) for model in ("gpt-6-astra", "gpt-6", "gpt-7-x")] == [
        True,
        False,
        True,
    ]
    chaining.refuse_updates("a")
    assert not chaining.takes_updates("a", "gpt-7")
    assert chaining.takes_updates("b", "gpt-7")
    clock.now += PAUSE_S
    assert chaining.takes_updates("a", "gpt-7")
    for number in range(MAX_TENANTS + 1):
        chaining.refuse_updates(str(number))
    assert chaining.takes_updates("0", "gpt-7")
    assert not chaining.takes_updates("1", "gpt-7")


def test_the_tenants_of_whom_something_was_learned_are_bounded(clock):
    chaining = Chaining(clock)
    for number in range(MAX_TENANTS + 1):
        chaining.learn(str(number), (ContextReason.TOOLS_CHANGED,))
    assert ContextReason.TOOLS_CHANGED not in chaining.basis("0")
    assert ContextReason.TOOLS_CHANGED in chaining.basis("1")


def test_the_operator_may_want_no_chains_at_all(clock):
    assert not Chaining(clock, off=True).supported("a")
