"""What a failure means for the line that it happened on, and for the way that the turn takes next."""

from __future__ import annotations

from service.domain.errors import Reason
from service.domain.report import TransportReason

LINE_SURVIVES = frozenset(
    {
        Reason.CHAIN_LOST,
        Reason.ENCRYPTED_CONTENT_REFUSED,
        Reason.INVALID_REQUEST,
        Reason.CONTEXT_LENGTH_EXCEEDED,
        Reason.RATE_LIMITED,
        Reason.QUOTA_EXHAUSTED,
    }
)
"""Failures that the upstream told in order: its line has nothing left to say, and may carry the next turn."""

NOTHING_SENT = frozenset({Reason.CONNECT_FAILED, Reason.OVERLOADED, Reason.SHUTTING_DOWN})
"""Reasons by which a caller may take it that nothing ran: never told of a turn that was dispatched once."""

SSE_REASONS: dict[Reason, TransportReason] = {
    Reason.MESSAGE_TOO_BIG: TransportReason.TOO_BIG,
    Reason.CONNECTION_LOST: TransportReason.CONNECTION_LOST,
    Reason.TIMEOUT: TransportReason.TIMEOUT,
    Reason.UPSTREAM_ERROR: TransportReason.UPSTREAM_ERROR,
    Reason.PROTOCOL_ERROR: TransportReason.PROTOCOL_ERROR,
    Reason.FRAME_REFUSED: TransportReason.PROTOCOL_ERROR,
}
"""Why a turn that began on a WebSocket went on by SSE. Where no line could be had, `NoLineError` says it."""
