"""Say what follows from each reason for which a call can fail: `POLICIES`, one row for each `Reason`.

Whatever depends on a reason alone is a column here, so a new reason is one row, and a question about a reason
has one place. Only the gRPC status is elsewhere, in rpc. `python -m tools.errors` writes docs/errors.md from
this table.

A turn is sent again only before its caller has seen content. Two kinds of failure allow that after a
dispatch. Most causes prove that the upstream ran nothing: it refused the request as a whole. A LOSS proves
nothing, so the turn may run twice; it is still repeated once, because most losses come from the connection.

Where several upstreams serve the model, a turn that its upstream cannot serve goes on to the next one before
content: after what proves that nothing ran, or in place of the one repetition of a loss.

Example: over a WebSocket a turn ends with TIMEOUT before content. Its row says `replay=LOSS`, so it is
repeated unless only safe replays are allowed; `route=SSE`, because a silent WebSocket is taken for a fault of
WebSockets there; and `sse_reason` is what the turn's report then gives as its `transport_reason`.
"""

from __future__ import annotations

from service.domain.policy import Cause, Policy, Route
from service.domain.reasons import Fault, Reason
from service.domain.report import TransportReason, UpstreamReason

POLICIES: dict[Reason, Policy] = {
    Reason.INVALID_REQUEST: Policy(
        Fault.CALLER,
        meaning="the request is invalid, to the service or to the upstream; BadRequest names the fields",
        caller="correct it",
        connection_reusable=True,
    ),
    Reason.CONTEXT_LENGTH_EXCEEDED: Policy(
        Fault.CALLER,
        meaning="the conversation does not fit the model",
        caller="shorten it",
        connection_reusable=True,
    ),
    Reason.UNAUTHENTICATED: Policy(
        Fault.CALLER,
        meaning="no token, one that is unknown or not valid, or no key where one must be brought",
        caller="correct the token or the key; a new JWT where the old one has expired",
        operator="`AUTH_FILE`, `AUTH_TOKENS`, `JWT_ISSUER` and what goes with it",
    ),
    Reason.PERMISSION_DENIED: Policy(
        Fault.CALLER,
        meaning="a model that the tenant may not use, or a key where none is accepted",
        caller="use another model, or send no key",
        operator="`AUTH_FILE`, `AUTH_TOKENS`",
    ),
    Reason.SESSION_NOT_FOUND: Policy(
        Fault.CALLER,
        meaning="this replica does not know the session",
        caller="carry on: a turn needs no session to exist",
    ),
    Reason.TURN_NOT_FOUND: Policy(
        Fault.CALLER,
        meaning="this replica has no such turn of the caller's",
        caller="carry on: it has ended, or never ran here",
    ),
    Reason.TAKEN_OVER: Policy(
        Fault.CALLER,
        meaning="a newer call with the same turn key reads the turn now",
        caller="leave it to that call",
    ),
    Reason.CANCELLED: Policy(
        Fault.CALLER,
        meaning="the turn was stopped: by `CancelTurn`, or its caller was away for longer than `linger`",
        caller="carry on: it was wanted",
    ),
    Reason.UPSTREAM_AUTH: Policy(
        Fault.SERVICE,
        meaning="the upstream refuses the service's key or region",
        caller="report it to the operator",
        operator="the key; its rights",
        elsewhere=UpstreamReason.UPSTREAM_AUTH,
    ),
    Reason.RATE_LIMITED: Policy(
        Fault.UPSTREAM,
        retryable=True,
        meaning="a rate limit of the upstream, or one of the tenant's own, which `limit` in the metadata "
        "names; of that nothing was sent",
        caller="try again after `retry_after`",
        operator="a higher limit upstream, or in `AUTH_FILE`",
        connection_reusable=True,
        elsewhere=UpstreamReason.RATE_LIMITED,
    ),
    Reason.QUOTA_EXHAUSTED: Policy(
        Fault.SERVICE,
        meaning="the upstream's quota is used up, or its bill is not paid",
        caller="do not try again",
        operator="the bill",
        connection_reusable=True,
        elsewhere=UpstreamReason.QUOTA_EXHAUSTED,
    ),
    Reason.OVERLOADED: Policy(
        Fault.SERVICE,
        retryable=True,
        meaning="a limit of the replica or of the tenant, which the message names; or the machine has no "
        "files, ports or memory left",
        caller="try again after `retry_after`",
        operator="raise the limit, or add a replica",
        sse_if_unsent=True,
        implies_nothing_sent=True,
    ),
    Reason.CONNECT_FAILED: Policy(
        Fault.UPSTREAM,
        retryable=True,
        meaning="the upstream could not be reached; nothing was sent",
        caller="try again, blindly",
        operator="network, proxy, `UPSTREAM_URL`; is the upstream up?",
        route=Route.SSE,
        sse_if_unsent=True,
        implies_nothing_sent=True,
        elsewhere=UpstreamReason.CONNECT_FAILED,
    ),
    Reason.SHUTTING_DOWN: Policy(
        Fault.SERVICE,
        retryable=True,
        meaning="this replica shuts down; nothing was sent",
        caller="try again at once, on another replica",
        operator="a rollout",
        implies_nothing_sent=True,
    ),
    Reason.CHAIN_LOST: Policy(
        Fault.UPSTREAM,
        meaning="the upstream does not know the previous response",
        caller="do not try again",
        public=Reason.PROTOCOL_ERROR,
        replay=Cause.CHAIN_LOST,
        route=Route.SAME_CONNECTION,
        connection_reusable=True,
    ),
    Reason.CONTINUATION_REFUSED: Policy(
        Fault.CALLER,
        meaning="the upstream refuses a request that continues a response; it may no longer know that",
        caller="correct it",
        public=Reason.INVALID_REQUEST,
        replay=Cause.CHAIN_LOST,
        route=Route.SAME_CONNECTION,
        connection_reusable=True,
    ),
    Reason.CONNECTION_EXPIRED: Policy(
        Fault.UPSTREAM,
        retryable=True,
        meaning="the upstream takes no further request over this connection",
        caller="try again",
        public=Reason.UPSTREAM_ERROR,
        replay=Cause.CONNECTION_EXPIRED,
        route=Route.NEW_CONNECTION,
    ),
    Reason.ENCRYPTED_CONTENT_REFUSED: Policy(
        Fault.CALLER,
        meaning="the upstream cannot decrypt, find or place the reasoning in the conversation",
        caller="leave the reasoning out",
        public=Reason.INVALID_REQUEST,
        replay=Cause.ENCRYPTED_CONTENT,
        route=Route.SAME_CONNECTION,
        connection_reusable=True,
    ),
    Reason.MESSAGE_TOO_BIG: Policy(
        Fault.CALLER,
        meaning="the request is too large for the only transport that it may take",
        caller="send less, or allow SSE",
        operator="compare `MAX_FRAME_BYTES` with what the upstream takes",
        replay=Cause.TOO_BIG,
        route=Route.SSE,
        every_connection_refuses=True,
        sse_if_unsent=True,
        sse_reason=TransportReason.TOO_BIG,
    ),
    Reason.FRAME_REFUSED: Policy(
        Fault.UPSTREAM,
        meaning="the upstream closed the connection because of the frame that it was sent",
        caller="do not try again",
        public=Reason.PROTOCOL_ERROR,
        replay=Cause.LOSS,
        route=Route.SSE,
        repeat_once=True,
        every_connection_refuses=True,
        counts_as_silent=True,
        sse_reason=TransportReason.PROTOCOL_ERROR,
    ),
    Reason.CLOSED_BY_POLICY: Policy(
        Fault.UPSTREAM,
        meaning="the upstream closed the connection for a policy of its own (1008)",
        caller="do not try again",
        public=Reason.UPSTREAM_ERROR,
        replay=Cause.LOSS,
        route=Route.NEW_CONNECTION,
        route_if_silent=Route.SSE,
        repeat_once=True,
        counts_as_silent=True,
        sse_reason=TransportReason.CONNECTION_LOST,
    ),
    Reason.CONNECTION_LOST: Policy(
        Fault.UPSTREAM,
        retryable=True,
        meaning="the upstream was lost in a turn that was sent; `partial` is what came",
        caller="try again, but it may cost twice",
        operator="closes by reason; a proxy in between with a time limit?",
        replay=Cause.LOSS,
        route=Route.NEW_CONNECTION,
        route_if_silent=Route.SSE,
        sse_if_unsent=True,
        counts_as_silent=True,
        sse_reason=TransportReason.CONNECTION_LOST,
    ),
    Reason.INTERRUPTED: Policy(
        Fault.SERVICE,
        retryable=True,
        meaning="this replica ended a turn that was sent, because it shuts down",
        caller="try again, but it may cost twice",
        operator="a longer `DRAIN_GRACE_S`",
    ),
    Reason.UPSTREAM_ERROR: Policy(
        Fault.UPSTREAM,
        retryable=True,
        meaning="the upstream says that it failed, or that it has no such address (404, 405)",
        caller="try again later if `retryable`, which is as the upstream's code says",
        operator="the upstream's status page; `upstream_code`. With 404 or 405: `UPSTREAM_URL`",
        replay=Cause.LOSS,
        route=Route.NEW_CONNECTION,
        sse_reason=TransportReason.UPSTREAM_ERROR,
        elsewhere=UpstreamReason.UPSTREAM_ERROR,
    ),
    Reason.PROTOCOL_ERROR: Policy(
        Fault.UPSTREAM,
        meaning="the upstream's answer is invalid",
        caller="do not try again",
        operator="who answers there? `upstream_status`, ignored events",
        replay=Cause.LOSS,
        route=Route.SSE,
        repeat_once=True,
        counts_as_silent=True,
        sse_reason=TransportReason.PROTOCOL_ERROR,
    ),
    Reason.TIMEOUT: Policy(
        Fault.UPSTREAM,
        retryable=True,
        meaning="a wait ran out, which the message names",
        caller="try again, but it may cost twice",
        operator="the wait that the message names; the upstream's latency",
        replay=Cause.LOSS,
        route=Route.SSE,
        counts_as_silent=True,
        sse_reason=TransportReason.TIMEOUT,
        elsewhere=UpstreamReason.TIMEOUT,
    ),
    Reason.INTERNAL: Policy(
        Fault.SERVICE,
        meaning="a bug of the service",
        caller="do not try again",
        operator="the log says where; please report it",
    ),
}
