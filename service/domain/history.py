"""Remember what the upstream has of one conversation (`History`), and plan what a turn must send.

A chain is a response id that the upstream can continue, and digests of all items up to and including that
response. It is valid on one connection only. Items are compared by content, in a canonical form. An example:

    turn 1  caller sends [a]           no chain            full: [a]
            the upstream answers B     chain resp_1 = [a, B]
    turn 2  caller sends [a, B, c]     [a, B] matches      incremental: resp_1 + [c]
            the turn fails             the chain was consumed and is gone
    turn 3  caller sends [a, B, c]     no chain            full: [a, B, c], reason turn_not_completed

A turn consumes the chain before it is sent and commits a new one only when it completes, so a failure at any
point costs one full request and never a wrong context.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

import msgspec

from service.domain.limits import MAX_CHAINED_ITEMS, MAX_JSON_BYTES, MAX_JSON_NODES, json_nodes
from service.domain.messages import Item, Message, Part, TextPart, ToolCallPart, ToolResultPart
from service.domain.plan import ChainFingerprint, ContextReason, Plan

DIGEST_BYTES = 16
LONG = 256 * 1024
"""A longer string is digested in slices of this many characters or bytes."""

_SIZE = "I"
_NO_SIZES = array(_SIZE)
_encode = msgspec.json.Encoder().encode


class Known:
    """The items that the upstream has, in order, packed into 21 bytes an item: digest, size, kind.

    As objects they took 150 bytes, and a session is kept for minutes. `sizes` are the bytes of each item in a
    request, separator included; `reasoning` is a byte each, 1 or 0.
    """

    __slots__ = ("_digests", "_reasoning", "_sizes")

    def __init__(self, digests: bytes = b"", sizes: array[int] = _NO_SIZES, reasoning: bytes = b"") -> None:
        self._digests = digests
        self._sizes = sizes
        self._reasoning = reasoning

    def __len__(self) -> int:
        return len(self._reasoning)

    def followed_by(self, items: Sequence[Item], sizes: Sequence[int]) -> Known:
        """Return these items followed by `items`."""
        if len(items) != len(sizes):
            raise ValueError("each item has one size")
        return Known(
            self._digests + b"".join(map(digest_of, items)),
            self._sizes + array(_SIZE, sizes),
            self._reasoning + bytes(item.is_reasoning for item in items),
        )

    def match(self, items: Sequence[Item]) -> tuple[int, int] | None:
        """Count the leading items that the upstream has, and the bytes they would take in a request.

        Returns None when the history was edited. Reasoning that the caller left out is no edit: the upstream
        still has it. Reasoning that changed is one.
        """
        count = size = 0
        compared = -1  # the item that `digest` is of
        digest = b""
        for index, is_reasoning in enumerate(self._reasoning):
            if count < len(items) and compared != count:
                compared, digest = count, digest_of(items[count])
            start = index * DIGEST_BYTES
            if count < len(items) and self._digests.startswith(digest, start):
                count += 1
                size += self._sizes[index]
            elif not is_reasoning or (count < len(items) and items[count].is_reasoning):
                return None
        return count, size


@dataclass(frozen=True, slots=True)
class Chain:
    """A response id to continue from, and what it includes; valid on one connection."""

    response_id: str
    line_id: int
    fingerprint: ChainFingerprint
    known: Known


class History:
    """The chain of one conversation. It holds digests and no content: without it, requests are full."""

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

    def plan(self, items: tuple[Item, ...], fingerprint: ChainFingerprint, line_id: int) -> Plan:
        """Plan what to send over the connection. Changes nothing.

        The reasons for a full request, in the order of the checks:
        1. there is no chain (first turn, or the last one did not complete, or was lost);
        2. the chain belongs to another connection;
        3. the fingerprint has changed;
        4. the items of the chain are not the beginning of what the caller sent;
        5. no item is left to send.
        """
        chain = self._chain
        if chain is None:
            return full_plan(items, self._why_none)
        if chain.line_id != line_id:
            return full_plan(items, ContextReason.NEW_CONNECTION)
        for reason, digest in fingerprint.items():
            if chain.fingerprint.get(reason) != digest:
                return full_plan(items, reason)
        matched = chain.known.match(items)
        if matched is None:
            return full_plan(items, ContextReason.HISTORY_EDITED)
        count, size = matched
        if count == len(items):
            return full_plan(items, ContextReason.EMPTY_SUFFIX)
        reason = ContextReason.CONTINUED if chain.known else ContextReason.PRIMED
        return Plan(items[count:], chain.response_id, reason, size)

    def consume(self) -> Chain | None:
        """Remove and return the chain of a turn that is about to be sent; it commits a new one at its end."""
        chain = self._chain
        self.forget(ContextReason.TURN_NOT_COMPLETED)
        return chain

    def forget(self, reason: ContextReason) -> None:
        """Drop the chain; the next plan is full for this reason."""
        self._chain = None
        self._why_none = reason

    def moved(self, plan: Plan) -> None:
        """Note that a sent turn is repeated on another connection: in full, because the chain is lost.

        A turn that was full keeps its reason.
        """
        self.forget(ContextReason.NEW_CONNECTION if plan.incremental else plan.reason)

    def line_closed(self, line_id: int) -> None:
        """Drop the chain if it belongs to the closed connection."""
        if self._chain is not None and self._chain.line_id == line_id:
            self.forget(ContextReason.NEW_CONNECTION)

    def commit(
        self,
        base: Chain | None,
        added: Sequence[Item],
        sizes: Sequence[int],
        *,
        fingerprint: ChainFingerprint,
        response_id: str,
        line_id: int,
    ) -> None:
        """Store the chain of a completed response: the items of `base`, then `added`.

        `base` is the consumed chain if the turn was incremental, None if it was full. `added` are the items
        that were sent and those of the answer; `sizes` their bytes in a request, separator included.
        """
        known = base.known if base else Known()
        if len(known) + len(added) > MAX_CHAINED_ITEMS:
            self.forget(ContextReason.HISTORY_TOO_LONG)
        else:
            self._chain = Chain(response_id, line_id, fingerprint, known.followed_by(added, sizes))


def full_plan(items: tuple[Item, ...], reason: ContextReason) -> Plan:
    return Plan(items, "", reason)


def without_reasoning(plan: Plan) -> Plan:
    """Return the plan without reasoning, whose encrypted content the upstream refused."""
    return replace(plan, items=tuple(item for item in plan.items if not item.is_reasoning))


def digest_of(item: Item) -> bytes:
    """Digest the item's content in 16 bytes.

    Tool arguments are compared as JSON, because clients parse and encode them again: the order of keys does
    not matter. Arguments that are not JSON, or too large to parse, are compared as text.
    """
    digest = blake2b(item.role.value.encode(), digest_size=DIGEST_BYTES)
    for part in item.parts:
        _update(digest, part)
    return digest.digest()


def _update(digest: blake2b, part: Part) -> None:
    """Add a part to the digest as one JSON array. JSON is self-delimiting, so no two contents collide.

    The array begins with the part's type: a text and a refusal of the same words differ. Long strings are
    digested separately, in slices: the encoder would hold the GIL and allocate up to six times their size.
    """
    match part:
        case TextPart() if len(part.text) <= LONG:
            digest.update(_encode(("TextPart", part)))
            return
        case ToolResultPart():
            digest.update(_encode(("ToolResultPart", part.call_id, part.is_error, len(part.parts))))
            for inner in part.parts:
                _update(digest, inner)
            return
        case ToolCallPart():
            part = replace(part, arguments=_canonical_json(part.arguments))
    values = [_short(getattr(part, name)) for name in type(part).__slots__]
    digest.update(_encode((type(part).__name__, *values)))


def _short(value: object) -> object:
    if isinstance(value, str | bytes) and len(value) > LONG:
        return [_digest_of_long([value])]
    if isinstance(value, tuple) and sum(map(len, value)) > LONG:
        return [_digest_of_long(value)]
    return value


def _digest_of_long(values: Sequence[str | bytes]) -> bytes:
    digest = blake2b(digest_size=DIGEST_BYTES)
    for value in values:
        digest.update(f"{len(value)}:".encode())
        for start in range(0, len(value), LONG):
            piece = value[start : start + LONG]
            digest.update(piece if isinstance(piece, bytes) else piece.encode(errors="surrogatepass"))
    return digest.digest()


def _canonical_json(text: str) -> str:
    if len(text) > MAX_JSON_NODES and (len(text) > MAX_JSON_BYTES or json_nodes(text) > MAX_JSON_NODES):
        return text
    try:
        return msgspec.json.encode(msgspec.json.decode(text), order="sorted").decode()
    except (msgspec.DecodeError, RecursionError):
        return text


def orphans(messages: Sequence[Message]) -> Iterator[tuple[int, int]]:
    """Yield (message index, part index) of each tool result without a call in an earlier part."""
    called: set[str] = set()
    for message_index, message in enumerate(messages):
        for part_index, part in enumerate(message.parts):
            if isinstance(part, ToolCallPart):
                called.add(part.call_id)
            elif isinstance(part, ToolResultPart) and part.call_id not in called:
                yield message_index, part_index
