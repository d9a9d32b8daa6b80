import ctypes
import sys

import pytest

from service.memory import keep_little


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="thresholds of glibc")
def test_the_thresholds_are_taken():
    assert keep_little()


def test_a_library_without_thresholds_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    assert not keep_little()
