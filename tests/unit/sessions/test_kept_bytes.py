import asyncio

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.events import Completed, ReasoningDelta, StopReason, TextDelta, Usage
from service.domain.messages import Message, Role, TextPart
from service.sessions.kept_bytes import TURN_BYTES, KeptBytes, size_of, total


def test_a_delta_takes_its_text_and_little_more():
    assert 1000 < size_of(TextDelta(0, "x" * 1000)) < 1250
    assert size_of(ReasoningDelta(0, "x")) == size_of(TextDelta(0, "x")) + 8
    assert total([TextDelta(0, "x"), TextDelta(0, "y")]) == 2 * size_of(TextDelta(0, "x"))


def test_the_end_takes_its_message():
    message = Message(Role.ASSISTANT, (TextPart("x" * 1000), TextPart("y" * 1000)))
    end = Completed("r", "m", 1.0, message, StopReason.STOP, Usage(), continuable=True)
    assert 2000 < size_of(end) < 4000
    assert size_of(None) == size_of(5) == 0


def test_over_the_bound_no_turn_begins():
    room = KeptBytes(3 * TURN_BYTES, 100)
    room.check("")
    room.take("", 3 * TURN_BYTES - 1)
    with pytest.raises(TurnError, match="TRUNKLINE_MAX_KEPT_BYTES") as caught:
        room.check("")
    assert caught.value.reason is Reason.OVERLOADED
    assert caught.value.retry_after
    room.release("", 3 * TURN_BYTES - 1)
    room.check("")
    assert repr(room) == f"KeptBytes(0/{3 * TURN_BYTES} bytes of 0 tenants)"


def test_one_of_several_tenants_has_half():
    room = KeptBytes(4 * TURN_BYTES, 100)
    room.take("one", 2 * TURN_BYTES)
    with pytest.raises(TurnError, match="of tenant 'one'"):
        room.check("one")
    room.check("two")


async def test_who_waits_is_woken_when_bytes_become_free():
    room, free = KeptBytes(100, 100), asyncio.Event()
    room.take("", 100)
    with room.waiting(free):
        room.release("", 1)
        assert free.is_set()
        free.clear()
    room.release("", 99)
    assert not free.is_set()
