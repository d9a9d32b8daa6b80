"""What the SDK's retry policies learn of a failure."""

from agents.retry import ModelRetryAdvice, ModelRetryNormalizedError

from trunkline.errors import TrunklineError, Upstream
from trunkline.http_status import http_status, pays_once

TIMEOUTS = ("TIMEOUT", "DEADLINE_EXCEEDED")
NETWORK = ("CONNECT_FAILED", "CONNECTION_LOST", "INTERRUPTED", "SHUTTING_DOWN")


def advice(error: TrunklineError) -> ModelRetryAdvice:
    """Say whether another try may help, and whether it is safe."""
    upstream = error.upstream or Upstream()
    return ModelRetryAdvice(
        suggested=error.retryable,
        retry_after=error.retry_after,
        replay_safety="safe" if pays_once(error) else "unsafe",
        reason=str(error),
        response_started=error.partial is not None,
        normalized=ModelRetryNormalizedError(
            status_code=http_status(error),
            error_code=upstream.code or error.reason,
            message=error.message,
            request_id=upstream.request_id or None,
            retry_after=error.retry_after,
            is_abort=error.reason == "CANCELLED",
            is_network_error=error.lost or error.reason in NETWORK,
            is_timeout=error.reason in TIMEOUTS,
        ),
    )
