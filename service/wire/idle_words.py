"""Judge what an upstream says over an idle connection, where no request waits for an answer.

Many say something after an answer, and nothing is wrong:

    {"type": "response.rate_limits.updated", "rate_limits": [...]}     ignored
    {"type": "keepalive", "sequence_number": 7}                        ignored
    {"type": "response.output_text.delta", "item_id": "msg_1", ...}    whose answer is it?
    {"type": "error", "error": {"code": "server_error"}}               trouble
    {"message": "Internal server error", "connectionId": "..."}        trouble: no event of the API

An event of a response would be taken for a part of the next answer, so the connection cannot be used again.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from service.wire.tally import Tally

MAX_IDLE_WORDS = 4096
"""How many are ignored: one a second for as long as a connection may live."""

_ABSENT = msgspec.Raw()
_LIFECYCLE = frozenset(
    {"created", "queued", "in_progress", "completed", "incomplete", "failed", "cancelled", "done"}
)
"""The last words of the types that begin or end a response or a part of one."""


class _Word(msgspec.Struct):
    """The fields by which an error, or an event of a response, is known; undecoded."""

    type: str
    error: msgspec.Raw = _ABSENT
    response: msgspec.Raw = _ABSENT
    item: msgspec.Raw = _ABSENT
    item_id: msgspec.Raw = _ABSENT
    output_index: msgspec.Raw = _ABSENT
    content_index: msgspec.Raw = _ABSENT
    delta: msgspec.Raw = _ABSENT


_WORD = msgspec.json.Decoder(_Word)


class IdleWords:
    """Take what is said over one connection while it is idle. `ignored` counts it by type."""

    __slots__ = ("ignored",)

    def __init__(self) -> None:
        self.ignored = Tally()

    def __repr__(self) -> str:
        return f"IdleWords({self.ignored.total()} ignored)"

    def take(self, messages: Sequence[str | bytes]) -> bool:
        """Return whether the connection can still serve a turn after these messages."""
        if self.ignored.total() + len(messages) > MAX_IDLE_WORDS:
            return False
        for message in messages:
            kind = harmless_type(message)
            if not kind:
                return False
            self.ignored.note(kind)
        return True


def harmless_type(message: str | bytes) -> str:
    """Return the type of an event that concerns no turn; empty for anything else."""
    if isinstance(message, bytes):
        return ""
    try:
        word = _WORD.decode(message)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
    if "error" in word.type or _given(word.error):
        return ""
    if word.type.startswith("response."):
        parts = (word.response, word.item, word.item_id, word.output_index, word.content_index, word.delta)
        if word.type.rpartition(".")[2] in _LIFECYCLE or any(map(_given, parts)):
            return ""
    return word.type


def _given(raw: msgspec.Raw) -> bool:
    return bytes(raw) not in (b"", b"null")
