"""What the upstream already knows of one conversation, and over which line: `History`. It makes the `Plan`.

Owns the canonical comparison by content and the rule that a chain is consumed before it is used. Must never
know sockets, JSON of the upstream, time or ids of its own making. The rule that would be broken first: never
an id with anything but a strict suffix of what the caller sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import msgspec

from service.domain.messages import Item, Message, ToolCallPart, ToolResultPart
from service.domain.plan import Basis, ContextReason, Plan

DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class _Known:
    """One item that the upstream holds. `size` is what it takes in a request, in bytes, separator
    included.
    """

    digest: bytes
    size: int
    is_reasoning: bool


@dataclass(frozen=True, slots=True)
class Chain:
    """What a response id stands for: everything up to and including the response, over one line."""

    response_id: str
    line_id: int
    basis: Basis
    known: tuple[_Known, ...]


class History:
    """The memory of one conversation. It holds digests, no content: losing it costs bytes, never words."""

    __slots__ = ("_chain", "_why_none")

    def __init__(self) -> None:
        self._chain: Chain | None = None
        self._why_none = ContextReason.FIRST_TURN

    def __repr__(self) -> str:
        if self._chain is None:
            return f"History(no chain: {self._why_none.value})"
        return (
            f"History({len(self._chain.known)} items, {self._chain.response_id}, line {self._chain.line_id})"
        )

    def plan(self, items: tuple[Item, ...], basis: Basis, line_id: int) -> Plan:
        """What to send over the line. Changes nothing.

        The reasons for a full request, in the order in which they are looked for:
        1. there is no chain (first turn, or the last one did not complete, or was lost);
        2. the chain is of another line;
        3. something that the chain stands on has changed;
        4. what the upstream holds is not the beginning of what the caller sent;
        5. nothing is left to send.
        """
        chain = self._chain
        if chain is None:
            return full_plan(items, self._why_none)
        if chain.line_id != line_id:
            return full_plan(items, ContextReason.NEW_CONNECTION)
        for reason, digest in basis.items():
            if chain.basis.get(reason) != digest:
                return full_plan(items, reason)
        matched = _match(chain.known, items)
        if matched is None:
            return full_plan(items, ContextReason.HISTORY_EDITED)
        count, size = matched
        if count == len(items):
            return full_plan(items, ContextReason.EMPTY_SUFFIX)
        reason = ContextReason.CONTINUED if chain.known else ContextReason.PRIMED
        return Plan(items[count:], chain.response_id, reason, size)

    def consume(self) -> Chain | None:
        """Takes the chain out: the turn that is about to be sent uses it up, and brings a new one only if
        it completes.
        """
        chain = self._chain
        self.forget(ContextReason.TURN_NOT_COMPLETED)
        return chain

    def forget(self, reason: ContextReason) -> None:
        """Drops the chain; the next plan is full for this reason."""
        self._chain = None
        self._why_none = reason

    def moved(self, plan: Plan) -> None:
        """The turn that was sent by this plan goes on over another line: in full, since its chain was of the
        old one, or for the reason that it had already.
        """
        self.forget(ContextReason.NEW_CONNECTION if plan.incremental else plan.reason)

    def line_closed(self, line_id: int) -> None:
        """A chain lives as long as its line."""
        if self._chain is not None and self._chain.line_id == line_id:
            self.forget(ContextReason.NEW_CONNECTION)

    def commit(
        self,
        base: Chain | None,
        added: Sequence[Item],
        sizes: Sequence[int],
        *,
        basis: Basis,
        response_id: str,
        line_id: int,
    ) -> None:
        """The upstream completed a response over this line: it knows what `base` stood for, and `added`
        behind it.

        `base` is the consumed chain if the turn was incremental, None if it was full. `added` are the items
        that were sent, and the answer's; `sizes` what each takes in a request, in bytes, separator included.
        """
        new = (
            _Known(digest_of(item), size, item.is_reasoning) for item, size in zip(added, sizes, strict=True)
        )
        self._chain = Chain(response_id, line_id, basis, (*(base.known if base else ()), *new))


def full_plan(items: tuple[Item, ...], reason: ContextReason) -> Plan:
    return Plan(items, "", reason)


def without_reasoning(plan: Plan) -> Plan:
    """The same plan less the model's sealed reasoning, which the upstream refused to read."""
    return replace(plan, items=tuple(item for item in plan.items if not item.is_reasoning))


def digest_of(item: Item) -> bytes:
    """The item's content, and nothing but its content, in sixteen bytes.

    Tool arguments are JSON: clients parse and write them again, so the order of keys does not count. What is
    not JSON counts as it stands.
    """
    first = item.parts[0]
    if isinstance(first, ToolCallPart):
        item = Item(item.role, (replace(first, arguments=_canonical_json(first.arguments)),))
    # The type of each part is written too: a text and a refusal of the same words are two things.
    content = (item.role.value, [(type(part).__name__, part) for part in item.parts])
    return blake2b(msgspec.json.encode(content), digest_size=DIGEST_BYTES).digest()


def _canonical_json(text: str) -> str:
    try:
        return msgspec.json.encode(msgspec.json.decode(text), order="sorted").decode()
    except (msgspec.DecodeError, RecursionError):
        return text


def _match(known: Sequence[_Known], items: Sequence[Item]) -> tuple[int, int] | None:
    """How many items the upstream knows already and what they would take in a request; None: it knows other
    things.

    Reasoning that the caller left out is no edit: the upstream still holds it. Reasoning that changed is.
    """
    count = size = 0
    for entry in known:
        if count < len(items) and digest_of(items[count]) == entry.digest:
            count += 1
            size += entry.size
        elif not entry.is_reasoning or (count < len(items) and items[count].is_reasoning):
            return None
    return count, size


def orphans(messages: Sequence[Message]) -> Iterator[tuple[int, int]]:
    """Where a tool result answers a call that no earlier message makes: (message index, part index)."""
    called: set[str] = set()
    for message_index, message in enumerate(messages):
        for part_index, part in enumerate(message.parts):
            if isinstance(part, ToolCallPart):
                called.add(part.call_id)
            elif isinstance(part, ToolResultPart) and part.call_id not in called:
                yield message_index, part_index
