"""Change the reasoning effort within a chain: `carried`.

A request with another effort than the one before has another beginning, so the upstream finds nothing of it
in its prompt cache. Some models take the change as an item instead (`configuration_update`), in its place
among the others, and the request goes on asking for what the first one asked for:

    turn 1  effort low     asks for low, sends [a]                 chain: asked low, now low
    turn 2  effort high    asks for low, sends [update high, b]    chain: asked low, now high
    turn 3  effort high    asks for low, sends [c]
    turn 4  not continued  asks for high, sends [a, B, b, …]       chain: asked high, now high

An update counts until the next one, so a chain that holds one is not continued with another effort where no
update can be sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from service.domain.messages import Item, UpstreamItemPart
from service.domain.plan import Plan

UPDATE = "configuration_update"


@dataclass(frozen=True, slots=True)
class Efforts:
    """What the requests of a chain ask for, and what counts now. Empty: the model's own."""

    asked: str
    now: str


UNSET = Efforts("", "")


def carried(plan: Plan, before: Efforts, effort: str, *, takes_updates: bool) -> Plan | None:
    """Return the incremental plan with what it takes to have this effort.

    `before`: those of the chain. Returns None when the chain cannot be continued with it.
    """
    if effort == before.now:
        return plan if before.asked == before.now else replace(plan, asked_effort=before.asked)
    if effort and takes_updates and not _updates(plan.items):
        return replace(plan, asked_effort=before.asked, update=effort)
    return plan if before.asked == before.now else None


def efforts_after(plan: Plan, effort: str) -> Efforts:
    """Return the efforts of the chain that the answer to this plan makes."""
    asked = effort if plan.asked_effort is None else plan.asked_effort
    return Efforts(asked, effort) if asked or effort else UNSET


def _updates(items: Iterable[Item]) -> bool:
    """Whether the caller sends an update of its own: the upstream takes no two in a row."""
    parts = (part for item in items for part in item.parts)
    return any(isinstance(part, UpstreamItemPart) and part.type == UPDATE for part in parts)
