"""An upstream that forgets is not asked for ever."""

from service.manager.chaining import MISSES, PAUSE_S, Chaining


def test_misses_in_a_row_switch_it_off_for_a_while(clock):
    chaining = Chaining(clock)
    for _ in range(MISSES):
        assert chaining.supported
        chaining.missed()
    assert not chaining.supported
    assert repr(chaining) == "Chaining(off, 0 misses)"
    clock.now += PAUSE_S
    assert chaining.supported


def test_a_chain_that_held_starts_the_count_anew(clock):
    chaining = Chaining(clock)
    for _ in range(MISSES * 2):
        chaining.missed()
        chaining.held()
    assert chaining.supported
