"""Runs one cell of the matrix against a service, and checks that nothing is left after it."""

from collections.abc import Iterable

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import message_pb2
from simulator.scripts import Script
from tests.integration.faults.endings import Ended, ended
from tests.integration.faults.matrix import Cell
from tests.integration.service.talk import PATIENCE_S
from tests.stack import Stack, stack

SETTINGS = {"COOLDOWN_S": "0"}
"""One cell must not spoil the WebSocket for the next."""

OPTIONS = {
    "auto": {},
    "forced": {"transport": pb.TRANSPORT_WEBSOCKET},
    "sse": {"transport": pb.TRANSPORT_SSE},
}


async def run(shared: Stack, cell: Cell, scripts: Iterable[Script], **settings: str) -> Ended:
    """The cell's turn in a session of its own; in a service of its own where it needs one."""
    if not (cell.settings or cell.row.chained):
        return await _run(shared, cell, scripts)
    async with stack(SETTINGS | cell.settings | settings) as replica:
        return await _run(replica, cell, scripts)


async def _run(replica: Stack, cell: Cell, scripts: Iterable[Script]) -> Ended:
    session = str(cell)
    said: list[message_pb2.Message | str] = []
    if cell.row.chained:
        said = ["Hello.", (await ended(replica, "Hello.", session=session)).done.message]
    replica.simulator.enqueue(*scripts)
    found = await ended(replica, *said, "Go on.", session=session, options=OPTIONS[cell.transport])
    replica.simulator._upstream.queued.clear()  # what was not asked for must not be the next cell's answer
    replica.manager.release("", session)  # nor what it remembers be known to the next test of this one
    await tidy(replica)
    return found


async def tidy(replica: Stack) -> None:
    """Nothing runs on either side of the service."""
    state = replica.pool._state
    assert (state.leased, state.dialing, len(replica.manager._running)) == (0, 0, 0)
    await replica.simulator.wait_for(lambda: not replica.simulator.stats.in_flight, PATIENCE_S)
