"""The status of HTTP that says of a failed call what its reason says, for frameworks that read these."""

from trunkline.errors import TrunklineError

BY_REASON = {
    "INVALID_REQUEST": 400,
    "CONTEXT_LENGTH_EXCEEDED": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "TAKEN_OVER": 409,
    "MESSAGE_TOO_BIG": 413,
    "RATE_LIMITED": 429,
    "QUOTA_EXHAUSTED": 429,
    "UPSTREAM_AUTH": 500,
    "INTERNAL": 500,
    "UPSTREAM_ERROR": 502,
    "PROTOCOL_ERROR": 502,
    "CONNECT_FAILED": 503,
    "OVERLOADED": 503,
    "SHUTTING_DOWN": 503,
    "TIMEOUT": 504,
}
"""Where the upstream answered with no status of its own."""


def http_status(error: TrunklineError) -> int | None:
    """Return the upstream's status, or the one that says the same. None: nobody answered."""
    status = error.upstream.status if error.upstream is not None else 0
    return status if 400 <= status < 600 else BY_REASON.get(error.reason)


ANSWERED = ("RATE_LIMITED", "QUOTA_EXHAUSTED", "OVERLOADED", "UPSTREAM_ERROR")
"""Somebody said that there is no answer."""


def pays_once(error: TrunklineError) -> bool:
    """Return whether another try cannot pay for a second answer: there was none, and none is on its way."""
    return error.sent is False or (error.reason in ANSWERED and error.partial is None)
