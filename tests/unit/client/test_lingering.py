import gc

import grpc

from trunkline import TrunklineError
from trunkline.lingering import Lingering, is_left


class Turn:
    cancelled = 0

    def cancel(self):
        self.cancelled += 1


class Stop:
    def add_done_callback(self, callback):
        self.end = lambda: callback(self)


def test_the_turns_that_somebody_still_holds_are_cancelled():
    lingering = Lingering()
    held = Turn()
    lingering.add(held)
    lingering.add(Turn())
    gc.collect()
    assert lingering.cancel_all() == ()
    assert held.cancelled == 1


def test_the_stops_under_way_are_returned():
    lingering = Lingering()
    first, second = Stop(), Stop()
    lingering.note(first)
    lingering.note(second)
    first.end()
    assert lingering.cancel_all() == (second,)


def test_who_left():
    late = grpc.StatusCode.DEADLINE_EXCEEDED
    assert is_left(KeyboardInterrupt())
    assert is_left(TrunklineError("DEADLINE_EXCEEDED", "", status=late))
    assert not is_left(TrunklineError("TIMEOUT", "", status=late, reported=True))
    assert not is_left(TrunklineError("UNAVAILABLE", "", status=grpc.StatusCode.UNAVAILABLE))
