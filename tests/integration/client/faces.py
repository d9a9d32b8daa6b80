"""One way for the tests to use either client: what blocks is run in a thread.

A scenario is written once and run with both.
"""

import asyncio
from contextlib import aclosing

import trunkline
from trunkline import TextDelta


class AsyncFace:
    package = "aio"

    def __init__(self):
        self.delays = []

    def client(self, address, **options):
        client = trunkline.AsyncClient(address, **options)
        client._sleep = self._sleep
        return client

    async def _sleep(self, delay):
        self.delays.append(delay)

    async def close(self, client):
        await client.aclose()

    async def call(self, function, *arguments, **named):
        return await function(*arguments, **named)

    async def result(self, events):
        return await events.result()

    async def events(self, events, heard=None):
        """All of them. `heard` is set at the first text."""
        seen = []
        async for event in events:
            seen.append(event)
            if heard and isinstance(event, TextDelta):
                heard.set()
        return seen

    async def items(self, iterator):
        async with aclosing(iterator):
            return [item async for item in iterator]

    async def leave_after(self, count, events):
        """Reads so many events and leaves at the end of the block."""
        async with events:
            for _ in range(count):
                await anext(events)

    async def drop_after(self, count, make):
        """The same without a block: the loop is just left."""
        seen = 0
        async for _ in make():
            seen += 1
            if seen == count:
                break


class SyncFace:
    package = "sync"

    def __init__(self):
        self.delays = []

    def client(self, address, **options):
        client = trunkline.Client(address, **options)
        client._sleep = self.delays.append
        return client

    async def close(self, client):
        await asyncio.to_thread(client.close)

    async def call(self, function, *arguments, **named):
        return await asyncio.to_thread(function, *arguments, **named)

    async def result(self, events):
        return await asyncio.to_thread(events.result)

    async def events(self, events, heard=None):
        loop = asyncio.get_running_loop()

        def read():
            seen = []
            for event in events:
                seen.append(event)
                if heard and isinstance(event, TextDelta):
                    loop.call_soon_threadsafe(heard.set)
            return seen

        return await asyncio.to_thread(read)

    async def items(self, iterator):
        return await asyncio.to_thread(list, iterator)

    async def leave_after(self, count, events):
        def leave():
            with events:
                for _ in range(count):
                    next(events)

        await asyncio.to_thread(leave)

    async def drop_after(self, count, make):
        def drop():
            for seen, _ in enumerate(make(), 1):
                if seen == count:
                    break

        await asyncio.to_thread(drop)
