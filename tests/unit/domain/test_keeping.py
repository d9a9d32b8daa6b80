from service.domain.keeping import TRANSITIONS, Signal, State


def test_what_runs_or_is_kept_can_be_attached_to():
    attachable = {state for state, signal in TRANSITIONS if signal is Signal.ATTACH}
    assert attachable == set(State) - {State.GONE}


def test_nobody_comes_back_from_gone():
    assert {after for (state, _), after in TRANSITIONS.items() if state is State.GONE} == {State.GONE}
    assert (State.GONE, Signal.FORGET) not in TRANSITIONS
