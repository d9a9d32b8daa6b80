import ctypes

import pytest

from service.runtime.memory import LARGE_BYTES, TRIMS, Heap


@pytest.fixture
def asked(monkeypatch):
    """What glibc was asked."""
    asked = []

    class Glibc:
        @staticmethod
        def malloc_trim(pad):
            asked.append(pad)
            return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Glibc)
    return asked


def test_memory_is_returned_a_few_times_after_a_large_turn(asked):
    """Its caller may not have the last of it yet."""
    heap = Heap()
    heap.used(LARGE_BYTES + 1)
    heap.used(1)
    assert [heap.tidy() for _ in range(TRIMS + 1)] == [True] * TRIMS + [False]
    assert asked == [0] * TRIMS


def test_small_turns_trim_nothing(asked):
    heap = Heap()
    heap.used(LARGE_BYTES)
    assert not heap.tidy()
    assert asked == []


def test_without_glibc_nothing_happens(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    heap = Heap()
    heap.used(LARGE_BYTES + 1)
    assert not heap.tidy()


def test_a_refused_request_is_as_a_large_turn(asked):
    heap = Heap()
    heap.refused()
    assert [heap.tidy() for _ in range(TRIMS + 1)] == [True] * TRIMS + [False]
