"""Say why a connection ended: as a label of a metric, and as the error of the turn that it carried."""

from __future__ import annotations

from websockets.frames import CloseCode
from websockets.protocol import Protocol

from service.domain.errors import Reason, TurnError
from service.wire import error_classifier

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


def close_error(protocol: Protocol, silence_s: float) -> TurnError:
    """Return the error of a turn whose connection was closed, by either side, or broke.

    `silence_s`: it was closed because the peer was silent so long, in seconds; 0: for another reason.
    """
    if silence_s:
        message = f"the upstream sent nothing for {silence_s:g} s and answered no ping"
        return TurnError(Reason.CONNECTION_LOST, message)
    by_us = protocol.close_sent is not None and not protocol.close_rcvd_then_sent
    frame = protocol.close_sent if by_us else protocol.close_rcvd
    if frame is None:
        return error_classifier.from_close(None, "")
    return error_classifier.from_close(frame.code, frame.reason, by_us=by_us)
