import ctypes

from service.manager import memory


def test_memory_is_given_back_where_the_system_can_take_it(monkeypatch):
    assert memory.trim() in (True, False)
    asked = []

    class Glibc:
        @staticmethod
        def malloc_trim(pad):
            asked.append(pad)
            return 1

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Glibc)
    assert memory.trim()
    assert asked == [0]


def test_without_glibc_nothing_happens(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not memory.trim()
