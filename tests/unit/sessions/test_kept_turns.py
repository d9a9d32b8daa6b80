import asyncio

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.tenant import Caller
from tests.integration.rpc.fakes import COMPLETED, STARTED
from tests.unit.sessions.keeping import Keeping


async def test_a_key_names_one_turn():
    keeping = Keeping([STARTED], [COMPLETED])
    assert await keeping.events() == await keeping.events() == [STARTED, COMPLETED]
    await keeping.events("k2")
    assert (len(keeping.begun), len(keeping.kept)) == (2, 2)
    assert repr(keeping.kept).startswith("KeptTurns(2 turns of 1 tenants, KeptBytes(")
    await keeping.kept.close()
    assert (len(keeping.kept), keeping.room.bytes) == (0, 0)


async def test_another_tenant_has_another_turn():
    keeping = Keeping([STARTED], [COMPLETED])
    await keeping.events()
    await keeping.events(caller=Caller("two"))
    assert len(keeping.begun) == 2
    assert keeping.kept.has("two")
    assert not keeping.kept.has("three")
    await keeping.kept.close()
    assert not keeping.kept.has("two")


async def test_the_same_key_with_other_content_is_refused():
    keeping = Keeping([STARTED], [COMPLETED])
    await keeping.events(digest=b"one")
    with pytest.raises(TurnError, match="turn_key: names a turn") as caught:
        await keeping.events(digest=b"two")
    assert caught.value.reason is Reason.INVALID_REQUEST
    assert [violation.field for violation in caught.value.violations] == ["turn_key"]
    await keeping.kept.close()


async def test_without_a_key_nothing_is_kept():
    keeping = Keeping([STARTED], [COMPLETED])
    async with keeping.read("", linger_s=0.0) as reader:
        events = []
        async for batch in reader.batches():
            events += batch
        assert len(keeping.kept) == 0
    assert events == [STARTED, COMPLETED]
    assert keeping.room.bytes == 0


async def test_over_the_bound_no_turn_begins():
    keeping = Keeping([STARTED], most=4095)
    with pytest.raises(TurnError, match="TRUNKLINE_MAX_KEPT_BYTES"):
        await keeping.events()
    assert keeping.begun == []
    assert await keeping.events("", linger_s=0.0) == [STARTED]  # without a key nothing is kept


async def test_closing_stops_what_runs():
    keeping = Keeping([STARTED], asyncio.Event())
    async with keeping.read():
        await asyncio.sleep(0)
    await keeping.kept.close()
    assert keeping.begun[0].left_by is asyncio.CancelledError
    await keeping.kept.close()
