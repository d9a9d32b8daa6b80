"""Remember what the upstream has of one conversation (`History`), and plan what a turn must send.

A chain is a response id that the upstream can continue, and digests of all items up to and including that
response. Items are compared by content, in a canonical form. A response that the upstream does not store is
known on one connection only. An example:

    turn 1  caller sends [a]           no chain            full: [a]
            the upstream answers B     chain resp_1 = [a, B]
    turn 2  caller sends [a, B, c]     [a, B] matches      incremental: resp_1 + [c]
            the turn fails             the chain was consumed and is gone
    turn 3  caller sends [a, B, c]     no chain            full: [a, B, c], reason turn_not_completed

A turn consumes such a chain before it is sent and commits a new one only when it completes, so a failure at
any point costs one full request and never a wrong context. A stored response outlives its connection and
turns that fail: its chain is replaced by the next one, or dropped when the upstream has lost it. In the
example turn 3 then sends resp_1 + [c] again, over any connection or by SSE.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace

from service.domain.compaction import is_compaction
from service.domain.effort import UNSET, Efforts
from service.domain.known import Known
from service.domain.limits import MAX_CHAINED_ITEMS
from service.domain.messages import Item, Message, ReasoningPart, ToolCallPart, ToolResultPart
from service.domain.plan import STRICT_BASIS, ChainFingerprint, ContextReason, Plan


@dataclass(frozen=True, slots=True)
class Chain:
    """A response id to continue from, and what it includes.

    `line_id`: the only connection on which it is known; None: the upstream stores it, any will do.
    """

    response_id: str
    line_id: int | None
    fingerprint: ChainFingerprint
    known: Known
    efforts: Efforts = UNSET


class History:
    """The chain of one conversation. It holds digests and no content: without it, requests are full."""

    __slots__ = ("_chain", "_why_none")

    def __init__(self) -> None:
        self._chain: Chain | None = None
        self._why_none = ContextReason.FIRST_TURN

    def __repr__(self) -> str:
        if self._chain is None:
            return f"History(no chain: {self._why_none.value})"
        where = "stored" if self._chain.line_id is None else f"line {self._chain.line_id}"
        return f"History({len(self._chain.known)} items, {self._chain.response_id}, {where})"

    @property
    def chain(self) -> Chain | None:
        return self._chain

    def plan(
        self,
        items: tuple[Item, ...],
        fingerprint: ChainFingerprint,
        line_id: int | None,
        basis: Set[ContextReason] = STRICT_BASIS,
    ) -> Plan:
        """Plan what to send over the connection; None: by SSE. Changes nothing.

        The reasons for a full request, in the order of the checks:
        1. there is no chain (first turn, or the last one did not complete, or was lost);
        2. the chain belongs to another connection;
        3. and those of `continued`.

        By SSE the first two are one, SSE.
        """
        chain = self._chain
        if chain is not None and chain.line_id in (None, line_id):
            return continued(chain, items, fingerprint, basis)
        if line_id is None:
            return full_plan(items, ContextReason.SSE)
        return full_plan(items, self._why_none if chain is None else ContextReason.NEW_CONNECTION)

    def consume(self, line_id: int | None) -> Chain | None:
        """Return the chain for a turn that is about to be sent over the connection; None: by SSE.

        One that a connection knows is removed: the turn commits a new one at its end. By SSE it stays.
        """
        chain = self._chain
        if chain is not None and chain.line_id is None:
            return chain
        if line_id is None:
            return None
        self.forget(ContextReason.TURN_NOT_COMPLETED)
        return chain

    def forget(self, reason: ContextReason) -> None:
        """Drop the chain; the next plan is full for this reason."""
        self._chain = None
        self._why_none = reason

    def moved(self, plan: Plan) -> None:
        """Note that a sent turn is repeated on another connection: in full, unless its chain is stored.

        A turn that was full keeps its reason.
        """
        if self._chain is None:
            self.forget(ContextReason.NEW_CONNECTION if plan.incremental else plan.reason)

    def rebound(self, reason: ContextReason) -> None:
        """Drop the chain, because the session has another upstream or key now, and they share nothing."""
        if self._chain is not None:
            self.forget(reason)

    def line_closed(self, line_id: int) -> None:
        """Drop the chain if it belongs to the closed connection."""
        if self._chain is not None and self._chain.line_id == line_id:
            self.forget(ContextReason.NEW_CONNECTION)

    def prime(
        self, response_id: str, fingerprint: ChainFingerprint, line_id: int, efforts: Efforts = UNSET
    ) -> None:
        """Store the chain of a warm-up, which includes no item, unless a stored response is known."""
        if self._chain is None or self._chain.line_id is not None:
            self._chain = Chain(response_id, line_id, fingerprint, Known(), efforts)

    def commit(
        self,
        base: Chain | None,
        added: Sequence[Item],
        sizes: Sequence[int],
        *,
        fingerprint: ChainFingerprint,
        response_id: str,
        line_id: int | None,
        efforts: Efforts = UNSET,
    ) -> Chain | None:
        """Store and return the chain of a completed response: the items of `base`, then `added`.

        `base` is the consumed chain if the turn was incremental, None if it was full. `added` are the items
        that were sent and those of the answer; `sizes` their bytes in a request, separator included. Returns
        None when they are too many to remember.
        """
        known = base.known if base else Known()
        if len(known) + len(added) > MAX_CHAINED_ITEMS:
            self.forget(ContextReason.HISTORY_TOO_LONG)
        else:
            known = known.followed_by(added, sizes)
            self._chain = Chain(response_id, line_id, fingerprint, known, efforts)
        return self._chain


def continued(
    chain: Chain, items: tuple[Item, ...], fingerprint: ChainFingerprint, basis: Set[ContextReason]
) -> Plan:
    """Plan a request that continues the chain.

    The reasons for a full one instead, in the order of the checks:
    1. a setting of the basis has changed;
    2. the items of the chain are not the beginning of `items`;
    3. no item is left to send.
    """
    changed = () if chain.fingerprint == fingerprint else changed_settings(chain.fingerprint, fingerprint)
    for reason in changed:
        if reason in basis:
            return full_plan(items, reason)
    matched = chain.known.match(items)
    if matched is None:
        return full_plan(items, ContextReason.HISTORY_EDITED)
    count, size = matched
    if count == len(items):
        return full_plan(items, ContextReason.EMPTY_SUFFIX)
    reason = ContextReason.CONTINUED if chain.known else ContextReason.PRIMED
    return Plan(items[count:], chain.response_id, reason, size, changed)


def changed_settings(before: ChainFingerprint, now: ChainFingerprint) -> tuple[ContextReason, ...]:
    """Return the reasons for which `now` differs."""
    return tuple(reason for reason, digest in now.items() if before.get(reason) != digest)


def full_plan(items: tuple[Item, ...], reason: ContextReason) -> Plan:
    return Plan(items, "", reason)


def without_reasoning(plan: Plan) -> Plan:
    """Return the plan without reasoning, whose encrypted content the upstream refused."""
    return replace(plan, items=tuple(item for item in plan.items if not item.is_reasoning))


def from_elsewhere(plan: Plan) -> Plan:
    """Return the plan for an upstream that did not say what the conversation holds: without the ids of items,
    which it does not know, and without the encrypted content of reasoning, which it cannot read.
    """
    return replace(plan, items=tuple(map(_anonymous, plan.items)))


def _anonymous(item: Item) -> Item:
    parts = tuple(
        replace(part, id="", encrypted_content="")
        if isinstance(part, ReasoningPart)
        else replace(part, item_id="")
        if part.item_id
        else part
        for part in item.parts
    )
    return item if parts == item.parts else Item(item.role, parts)


def orphans(messages: Sequence[Message]) -> Iterator[tuple[int, int]]:
    """Yield (message index, part index) of each tool result without a call in an earlier part.

    After a compaction there is none: the call may be in what that stands for.
    """
    called: set[str] = set()
    for message_index, message in enumerate(messages):
        for part_index, part in enumerate(message.parts):
            if isinstance(part, ToolCallPart):
                called.add(part.call_id)
            elif is_compaction(part):
                return
            elif isinstance(part, ToolResultPart) and part.call_id not in called:
                yield message_index, part_index
