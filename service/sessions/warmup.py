"""Send a connection what the next turn will need before anyone asks: `warm_up`.

A warm-up is a bounded exchange with `generate: false` and never fails the turn. Its response id continues
into the first turn only if the upstream really generated nothing: a server that does not know the option
generates a full answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace

from service.domain.errors import TurnError
from service.domain.events import Completed
from service.domain.history import full_plan
from service.domain.plan import ContextReason
from service.domain.tenant import Caller
from service.sessions.pool import Pool
from service.sessions.rates import Rate
from service.sessions.registry import Session
from service.transport.connection import Line
from service.transport.upstream import PreparedRequest, Upstream

WARM_UP_S = 8.0


def warm_up_rate(max_dials: int, clock: Callable[[], float]) -> Rate:
    """Return the limit on how often each tenant may open a connection by a warm-up.

    A loop of warm-ups and releases costs its caller nothing, and the upstream a handshake each time; a loop
    of turns is slower, and is paid for.
    """
    per_second = max(max_dials / 2, 1.0)
    return Rate(
        max_dials, per_second, clock, what=f"warm-ups: {per_second:g} a second (half of TRUNKLINE_MAX_DIALS)"
    )


async def warm_session(
    pool: Pool, upstream: Upstream, session: Session, caller: Caller, prepared: PreparedRequest | None
) -> None:
    """Open the connection of a session that has no holder; with a prepared, warm it up.

    Turns of the session wait until this has ended. Raises TurnError when the connection cannot be opened.
    Cancellation: the session is free again; its connection is closed if it was in the middle of an exchange.
    """
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    session.holder = done
    try:
        lease = await pool.lease(session, caller, wait=True)
        try:
            if prepared is not None:
                await warm_up(upstream, lease.line, session, prepared)
        finally:
            lease.end(clean=lease.line.open)
        if session.line is None:
            (await pool.lease(session, caller, wait=True)).end(clean=True)
    finally:
        session.holder = None
        done.set_result(None)


async def warm_up(upstream: Upstream, line: Line, session: Session, prepared: PreparedRequest) -> bool:
    """Send model, instructions and tools ahead over a leased connection. Return whether it worked.

    After a failure the connection may be closed: the holder checks `line.open`. Cancellation: it is closed.
    """
    head = replace(prepared, items=())
    exchange = await upstream.over_line(line, head, full_plan((), ContextReason.FIRST_TURN), generate=False)
    answer: Completed | None = None
    try:
        async with asyncio.timeout(WARM_UP_S), aclosing(exchange.batches()) as batches:
            async for batch in batches:
                if isinstance(batch[-1], Completed):
                    answer = batch[-1]
    except (TurnError, TimeoutError):
        return False
    finally:
        if not exchange.orderly:
            line.discard()
    if answer is None or answer.message.parts or not answer.continuable:
        return False
    session.history.commit(
        None, (), (), fingerprint=prepared.fingerprint, response_id=answer.response_id, line_id=line.id
    )
    return True
