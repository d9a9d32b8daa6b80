import asyncio

from service.transport.preload import rehearse


async def test_it_comes_to_nothing_and_leaves_nothing():
    before = len(asyncio.all_tasks())
    await rehearse()
    assert len(asyncio.all_tasks()) == before
