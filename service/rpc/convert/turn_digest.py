"""Digest the content of a turn's request, to tell whether a second one with its key is the same: `digest_of`.

What says how a call is served is no content: the key itself, the last event that the caller has, the linger,
the heartbeat, the caller's correlation id, and the continuation, which is a hint. Both kinds of request have
the same fields, so a turn that was begun by one call can be attached to by the other.
"""

from __future__ import annotations

from hashlib import blake2b

from service.domain.tenant import Caller
from service.gen.trunkline.v1 import completion_pb2 as pb

DIGEST_BYTES = 16


def digest_of(request: pb.StreamCompletionRequest | pb.CompleteRequest, caller: Caller) -> bytes:
    """Return the digest. It clears in the request what is no content.

    A key of the upstream that the caller brought counts: what it paid for is for those who have it.
    """
    for name in ("turn_key", "after_sequence", "continuation", "request_id"):
        request.ClearField(name)
    for name in ("linger", "heartbeat"):
        request.options.ClearField(name)
    if not request.options.ByteSize():  # empty options are the same as none
        request.ClearField("options")
    key = caller.key.digest if caller.key is not None else b""
    return blake2b(request.SerializeToString(deterministic=True), digest_size=DIGEST_BYTES, key=key).digest()
