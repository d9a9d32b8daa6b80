"""Say why a connection ended, in one of a few words: a label of a metric."""

from __future__ import annotations

from websockets.frames import CloseCode
from websockets.protocol import Protocol

CODES = frozenset(CloseCode)


def close_reason(protocol: Protocol, *, dead: bool, cut_off: bool, expired: bool) -> str:
    """Return the word: 1. no ping was answered, 2. we closed first, 3. the upstream did, 4. nobody did.

    `cut_off`: we closed the socket in the middle of an answer. `expired`: the connection reached its maximum
    age.
    """
    sent, received = protocol.close_sent, protocol.close_rcvd
    if dead:
        return "ping_timeout"
    if sent is not None and not protocol.close_rcvd_then_sent:
        if sent.code == CloseCode.GOING_AWAY:
            return "shutdown"
        if sent.code != CloseCode.NORMAL_CLOSURE:
            return "protocol_error"
        return "expired" if expired else "retired"
    if received is not None:
        return f"upstream_{received.code}" if received.code in CODES else "upstream_other"
    return "cut_off" if cut_off else "upstream_gone"
