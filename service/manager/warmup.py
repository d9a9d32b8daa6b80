"""Telling a line what is coming before anyone asks: `warm_up`.

Owns the bounded, never fatal `generate: false` exchange. Must never know why it is worth it. Its id continues
into the first turn only if the upstream really generated nothing: a server that does not know the word
answers in earnest.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

from service.domain.errors import TurnError
from service.domain.events import Completed
from service.domain.plan import ContextReason
from service.manager.registry import Session
from service.session.history import full_plan
from service.transport.upstream import Draft, Upstream
from service.transport.websocket import Line

WARM_UP_S = 8.0


async def warm_up(upstream: Upstream, line: Line, session: Session, draft: Draft) -> bool:
    """Sends model, instructions and tools ahead over a line that is leased. False: it did not work.

    Then the line may be closed; whoever holds it finds out by `line.open`. Cancelled: the line is closed.
    """
    head = replace(draft, items=())
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
    session.history.commit(None, (), (), basis=draft.basis, response_id=answer.response_id, line_id=line.id)
    return True
