"""What the upstream already knows of one conversation, and over which line: `History`. It makes the `Plan`.

Items are compared by content, in a canonical form. A chain is consumed before it is used, and an id never
goes with anything but a strict suffix of what the caller sent.
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
"""Characters or bytes of one string that are digested at once."""

_SIZE = "I"
_NO_SIZES = array(_SIZE)
_encode = msgspec.json.Encoder().encode


class Known:
    """The items that the upstream holds, in order: what each is and takes, in 21 bytes an item.

    As objects they took 150, and a session is remembered for minutes. `sizes` are what they take in a
    request, in bytes, separator included; `reasoning` is a byte each, 1 or 0.
    """

    __slots__ = ("_digests", "_reasoning", "_sizes")

    def __init__(self, digests: bytes = b"", sizes: array[int] = _NO_SIZES, reasoning: bytes = b"") -> None:
        self._digests = digests
        self._sizes = sizes
        self._reasoning = reasoning

    def __len__(self) -> int:
        return len(self._reasoning)

    def followed_by(self, items: Sequence[Item], sizes: Sequence[int]) -> Known:
        """These, and `items` after them."""
        if len(items) != len(sizes):
            raise ValueError("each item has one size")
        return Known(
            self._digests + b"".join(map(digest_of, items)),
            self._sizes + array(_SIZE, sizes),
            self._reasoning + bytes(item.is_reasoning for item in items),
        )

    def match(self, items: Sequence[Item]) -> tuple[int, int] | None:
        """How many of the items the upstream knows already and what they would take in a request; None: it
        knows other things.

        Reasoning that the caller left out is no edit: the upstream still holds it. Reasoning that changed is.
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
    """What a response id stands for: everything up to and including the response, over one line."""

    response_id: str
    line_id: int
    fingerprint: ChainFingerprint
    known: Known


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

    def plan(self, items: tuple[Item, ...], fingerprint: ChainFingerprint, line_id: int) -> Plan:
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
        fingerprint: ChainFingerprint,
        response_id: str,
        line_id: int,
    ) -> None:
        """The upstream completed a response over this line: it knows what `base` stood for, and `added`
        behind it.

        `base` is the consumed chain if the turn was incremental, None if it was full. `added` are the items
        that were sent, and the answer's; `sizes` what each takes in a request, in bytes, separator included.
        """
        known = base.known if base else Known()
        if len(known) + len(added) > MAX_CHAINED_ITEMS:
            self.forget(ContextReason.HISTORY_TOO_LONG)
        else:
            self._chain = Chain(response_id, line_id, fingerprint, known.followed_by(added, sizes))


def full_plan(items: tuple[Item, ...], reason: ContextReason) -> Plan:
    return Plan(items, "", reason)


def without_reasoning(plan: Plan) -> Plan:
    """The same plan less the model's sealed reasoning, which the upstream refused to read."""
    return replace(plan, items=tuple(item for item in plan.items if not item.is_reasoning))


def digest_of(item: Item) -> bytes:
    """The item's content, and nothing but its content, in sixteen bytes.

    Tool arguments are JSON: clients parse and write them again, so the order of keys does not count. What is
    not JSON, or more of it than the service parses anywhere, counts as it stands.
    """
    digest = blake2b(item.role.value.encode(), digest_size=DIGEST_BYTES)
    for part in item.parts:
        _update(digest, part)
    return digest.digest()


def _update(digest: blake2b, part: Part) -> None:
    """Each part is one JSON array, which ends by itself: so no two contents are written the same.

    The type of each part is written too: a text and a refusal of the same words are two things. What is long
    is digested on its own, in slices: the encoder would hold the GIL, and take six times its size at worst.
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
    """Where a tool result answers a call that no earlier message makes: (message index, part index)."""
    called: set[str] = set()
    for message_index, message in enumerate(messages):
        for part_index, part in enumerate(message.parts):
            if isinstance(part, ToolCallPart):
                called.add(part.call_id)
            elif isinstance(part, ToolResultPart) and part.call_id not in called:
                yield message_index, part_index
