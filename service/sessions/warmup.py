"""Send a connection what the next turn will need before anyone asks: `warm_up`.

A warm-up is a bounded exchange with `generate: false` and never fails the turn. Its response id continues
into the first turn only if the upstream really generated nothing: a server that does not know the option
generates a full answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from service.domain.effort import Efforts
from service.domain.errors import TurnError
from service.domain.events import Completed, Event, Usage
from service.domain.history import full_plan
from service.domain.plan import ContextReason
from service.sessions.rates import Rate
from service.sessions.session import Session
from service.telemetry.telemetry import OFF, Telemetry
from service.transport.connection import Connection
from service.transport.upstream import PreparedRequest, Upstream

WARM_UP_S = 8.0


def warm_up_rate(max_dials: int, clock: Callable[[], float], telemetry: Telemetry = OFF) -> Rate:
    """Return the limit on how often each tenant may open a connection by a warm-up.

    A loop of warm-ups and releases costs its caller nothing, and the upstream a handshake each time; a loop
    of turns is slower, and is paid for.
    """
    per_second = max(max_dials / 2, 1.0)
    what = f"warm-ups: {per_second:g} a second (half of TRUNKLINE_MAX_DIALS)"
    return Rate(max_dials, per_second, clock, what=what, telemetry=telemetry)


async def warm_up(
    upstream: Upstream, line: Connection, session: Session, prepared: PreparedRequest
) -> Usage | None:
    """Send model, instructions and tools ahead over a leased connection. Return what the upstream reports for
    it; None: nothing.

    What the upstream does never fails it, but after it the connection may be closed: the holder checks
    `line.open`. Cancellation: the connection is closed if it was in the middle of an exchange.
    """
    head = replace(prepared, items=())
    plan = full_plan((), ContextReason.FIRST_TURN)
    answer: Event | None = None
    exchange = await upstream.over_connection(line, head, plan, generate=False)
    try:
        async with asyncio.timeout(WARM_UP_S), exchange:
            while not exchange.finished:
                for event in await exchange.receive():
                    answer = event
    except (TurnError, TimeoutError):
        return exchange.usage
    finally:
        if not exchange.orderly:
            line.discard()
    if isinstance(answer, Completed) and answer.continuable and not answer.message.parts:
        efforts = Efforts(prepared.effort, prepared.effort)
        session.history.prime(answer.response_id, prepared.fingerprint, line.id, efforts)
    return exchange.usage
