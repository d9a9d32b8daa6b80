import ctypes
import sys

import pytest

from service.runtime.memory import LARGE_BYTES, TRIMS, Heap, keep_little


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="thresholds of glibc")
def test_the_thresholds_are_taken():
    assert keep_little()


def test_a_library_without_thresholds_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert not keep_little()


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
