from service.transport.pace import Pace, Unpaced


def test_an_ordinary_loop_never_delays():
    pace: Pace = Unpaced()
    pace.throttle(1)
    assert not pace.prioritise(1)
    assert pace.delay_s == 0.0
