"""Why a line ended, in one of few words: what is counted.

Owns the words. Must never know what a line was used for.
"""

from __future__ import annotations

from websockets.frames import CloseCode
from websockets.protocol import Protocol

CODES = frozenset(CloseCode)


def ending_of(protocol: Protocol, *, dead: bool, cut_off: bool, expired: bool) -> str:
    """1. It answered no ping. 2. We said farewell first. 3. The upstream did. 4. Nobody did.

    `cut_off`: we closed the socket in the middle of an answer. `expired`: the line is as old as it may get.
    """
    told, heard = protocol.close_sent, protocol.close_rcvd
    if dead:
        return "ping_timeout"
    if told is not None and not protocol.close_rcvd_then_sent:
        if told.code == CloseCode.GOING_AWAY:
            return "shutdown"
        if told.code != CloseCode.NORMAL_CLOSURE:
            return "protocol_error"
        return "expired" if expired else "retired"
    if heard is not None:
        return f"upstream_{heard.code}" if heard.code in CODES else "upstream_other"
    return "cut_off" if cut_off else "upstream_gone"
