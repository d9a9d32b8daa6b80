import ctypes
import sys

import pytest

from service.runtime.memory import keep_little, trim


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="thresholds of glibc")
def test_the_thresholds_are_taken():
    assert keep_little()


def test_a_library_without_thresholds_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert not keep_little()


@pytest.mark.parametrize("returned", [0, 1])
def test_glibc_is_asked_to_return_all_free_memory(monkeypatch, returned):
    asked = []

    class Glibc:
        @staticmethod
        def malloc_trim(pad):
            asked.append(pad)
            return returned

    monkeypatch.setattr(ctypes, "CDLL", lambda _name: Glibc)
    assert trim() is bool(returned)
    assert asked == [0]


def test_without_glibc_nothing_is_returned(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert not trim()
