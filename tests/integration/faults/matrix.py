"""The fault matrix: what can go wrong once a request has been written, and how the turn must end.

Three columns say over what each attempt goes if the fault happens each time: of a turn that may choose
(auto), of one that insists on a WebSocket (forced), of one by SSE. They hold before `created` and after it,
where a stroke does not divide the two; after content there is one attempt, ever. A dash: it cannot happen
there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.scripts import (
    BAD_FRAME,
    BAD_UTF8,
    BINARY,
    NO_TYPE,
    NOT_AN_OBJECT,
    NOT_JSON,
    Close,
    Drop,
    End,
    Fail,
    Hang,
    Page,
    Script,
    Step,
    until,
)

TABLE = """
# what the upstream does                what the caller hears   retry auto      forced   sse     after s

# The upstream's code says it all, whatever the status.
rate_limit_exceeded                   RATE_LIMITED            yes   ws        ws       sse
rate_limit_error                      RATE_LIMITED            yes   ws        ws       sse
insufficient_quota                    QUOTA_EXHAUSTED         no    ws        ws       sse
credit_balance_exhausted              QUOTA_EXHAUSTED         no    ws        ws       sse
organization_spend_limit_exceeded     QUOTA_EXHAUSTED         no    ws        ws       sse
project_spend_limit_exceeded          QUOTA_EXHAUSTED         no    ws        ws       sse
organization_usage_limit_exceeded     QUOTA_EXHAUSTED         no    ws        ws       sse
billing_hard_limit_reached            QUOTA_EXHAUSTED         no    ws        ws       sse
billing_not_active                    QUOTA_EXHAUSTED         no    ws        ws       sse
usage_limit_reached                   QUOTA_EXHAUSTED         no    ws        ws       sse
usage_not_included                    QUOTA_EXHAUSTED         no    ws        ws       sse
invalid_api_key                       UPSTREAM_AUTH           no    ws        ws       sse
authentication_error                  UPSTREAM_AUTH           no    ws        ws       sse
permission_error                      UPSTREAM_AUTH           no    ws        ws       sse
unsupported_country_region_territory  UPSTREAM_AUTH           no    ws        ws       sse
context_length_exceeded               CONTEXT_LENGTH_EXCEEDED no    ws        ws       sse
payload_too_large                     MESSAGE_TOO_BIG         no    ws+sse    ws       sse
websocket_connection_limit_reached    UPSTREAM_ERROR          yes   ws+ws     ws+ws    sse
invalid_encrypted_content             INVALID_REQUEST         no    ws+ws     ws+ws    sse+sse
thinking_signature_invalid            INVALID_REQUEST         no    ws+ws     ws+ws    sse+sse
server_error                          UPSTREAM_ERROR          yes   ws+ws     ws+ws    sse+sse
server_is_overloaded                  UPSTREAM_ERROR          yes   ws+ws     ws+ws    sse+sse
overloaded_error                      UPSTREAM_ERROR          yes   ws+ws     ws+ws    sse+sse
slow_down                             UPSTREAM_ERROR          yes   ws+ws     ws+ws    sse+sse
vector_store_timeout                  UPSTREAM_ERROR          yes   ws+ws     ws+ws    sse+sse
concurrent_request                    UPSTREAM_ERROR          yes   ws+ws     ws+ws    sse+sse
nobody_has_heard_of_it                UPSTREAM_ERROR          no    ws        ws       sse
previous_response_not_found           PROTOCOL_ERROR          no    ws+sse    ws+ws    sse+sse
codex_previous_response_stale         PROTOCOL_ERROR          no    ws+sse    ws+ws    sse+sse
model_not_found                       INVALID_REQUEST         no    ws        ws       sse
invalid_prompt                        INVALID_REQUEST         no    ws        ws       sse
data_residency_mismatch               INVALID_REQUEST         no    ws        ws       sse
bio_policy                            INVALID_REQUEST         no    ws        ws       sse
cyber_policy                          INVALID_REQUEST         no    ws        ws       sse
misalignment_policy_violation         INVALID_REQUEST         no    ws        ws       sse
invalid_image                         INVALID_REQUEST         no    ws        ws       sse
invalid_image_format                  INVALID_REQUEST         no    ws        ws       sse
invalid_base64_image                  INVALID_REQUEST         no    ws        ws       sse
invalid_image_url                     INVALID_REQUEST         no    ws        ws       sse
image_too_large                       INVALID_REQUEST         no    ws        ws       sse
image_too_small                       INVALID_REQUEST         no    ws        ws       sse
image_parse_error                     INVALID_REQUEST         no    ws        ws       sse
image_content_policy_violation        INVALID_REQUEST         no    ws        ws       sse
invalid_image_mode                    INVALID_REQUEST         no    ws        ws       sse
image_file_too_large                  INVALID_REQUEST         no    ws        ws       sse
unsupported_image_media_type          INVALID_REQUEST         no    ws        ws       sse
empty_image_file                      INVALID_REQUEST         no    ws        ws       sse
failed_to_download_image              INVALID_REQUEST         no    ws        ws       sse
image_file_not_found                  INVALID_REQUEST         no    ws        ws       sse

# A status alone.
status-400                            INVALID_REQUEST         no    ws        ws       sse
status-401                            UPSTREAM_AUTH           no    ws        ws       sse
status-402                            QUOTA_EXHAUSTED         no    ws        ws       sse
status-403                            UPSTREAM_AUTH           no    ws        ws       sse
status-404                            INVALID_REQUEST         no    ws        ws       sse
status-408                            UPSTREAM_ERROR          yes   ws+ws     ws+ws    sse+sse
status-409                            UPSTREAM_ERROR          yes   ws+ws     ws+ws    sse+sse
status-413                            MESSAGE_TOO_BIG         no    ws+sse    ws       sse
status-418                            UPSTREAM_ERROR          no    ws        ws       sse
status-422                            INVALID_REQUEST         no    ws        ws       sse
status-429                            RATE_LIMITED            yes   ws        ws       sse
status-500                            UPSTREAM_ERROR          yes   ws+ws     ws+ws    sse+sse
status-502                            UPSTREAM_ERROR          yes   ws+ws     ws+ws    sse+sse
status-503                            UPSTREAM_ERROR          yes   ws+ws     ws+ws    sse+sse
status-504                            UPSTREAM_ERROR          yes   ws+ws     ws+ws    sse+sse
status-520                            UPSTREAM_ERROR          yes   ws+ws     ws+ws    sse+sse

# What the upstream says of another try is passed on, and heeded.
retry-after                    RATE_LIMITED            yes   ws        ws       sse         7
retry-after-ms                 RATE_LIMITED            yes   ws        ws       sse       1.5
not-now                        UPSTREAM_ERROR          yes   ws        ws       sse        20
should-not-retry               UPSTREAM_ERROR          no    ws        ws       sse
should-retry                   UPSTREAM_ERROR          yes   ws+ws     ws+ws    sse+sse
never-for-billing              QUOTA_EXHAUSTED         no    ws        ws       sse

# One error in every shape that was seen.
shape-nested                          RATE_LIMITED            yes   ws        ws       sse         7
shape-headers-on-top                  RATE_LIMITED            yes   ws        ws       sse         7
shape-status-code                     RATE_LIMITED            yes   ws        ws       sse         7
shape-body                            RATE_LIMITED            yes   ws        ws       sse         7
shape-flat                            RATE_LIMITED            yes   ws        ws       sse         7
shape-failed                          RATE_LIMITED            yes   ws        ws       sse         7
shape-no-code                         INVALID_REQUEST         no    ws        ws       sse
shape-message-only                    UPSTREAM_ERROR          no    ws        ws       sse

# A chain that was there is lost; a second time there is none to lose.
chain-not-found                       PROTOCOL_ERROR          no    ws+ws+sse ws+ws+ws -
chain-stale                           PROTOCOL_ERROR          no    ws+ws+sse ws+ws+ws -
chain-not-found-404                   PROTOCOL_ERROR          no    ws+ws+sse ws+ws+ws -
chain-failed                          PROTOCOL_ERROR          no    ws+ws+sse ws+ws+ws -
chain-flat                            PROTOCOL_ERROR          no    ws+ws+sse ws+ws+ws -
chain-by-parameter                    PROTOCOL_ERROR          no    ws+ws+sse ws+ws+ws -
chain-in-words                        PROTOCOL_ERROR          no    ws+ws+sse ws+ws+ws -

# A request with an id is refused, whatever the words: in full once; then the request is at fault.
forgotten-no-call                     INVALID_REQUEST         no    ws+ws     ws+ws    -
forgotten-no-match                    INVALID_REQUEST         no    ws+ws     ws+ws    -
forgotten-404                         INVALID_REQUEST         no    ws+ws     ws+ws    -
forgotten-422                         INVALID_REQUEST         no    ws+ws     ws+ws    -
forgotten-no-status                   INVALID_REQUEST         no    ws+ws     ws+ws    -

# Reasoning is refused in words.
reasoning-alone                       INVALID_REQUEST         no    ws+ws     ws+ws    sse+sse
reasoning-gone                        INVALID_REQUEST         no    ws+ws     ws+ws    sse+sse
reasoning-unknown                     INVALID_REQUEST         no    ws+ws     ws+ws    sse+sse

# The page of a proxy in between.
page-200                              PROTOCOL_ERROR          no    -         -        sse+sse
page-302                              UPSTREAM_ERROR          no    -         -        sse
page-403                              UPSTREAM_AUTH           no    -         -        sse
page-429                              RATE_LIMITED            yes   -         -        sse
page-502                              UPSTREAM_ERROR          yes   -         -        sse+sse
page-520                              UPSTREAM_ERROR          yes   -         -        sse+sse

# The line breaks: a fresh one at its first request, or one that has said something.
reset                                 CONNECTION_LOST         yes   ws+sse/ws+ws ws+ws    sse+sse
end-of-stream                         CONNECTION_LOST         yes   ws+sse/ws+ws ws+ws    sse+sse
ends-too-early                        CONNECTION_LOST         yes   ws+sse/ws+ws ws+ws    sse+sse
close-1000                            CONNECTION_LOST         yes   ws+sse/ws+ws ws+ws    -
close-1001                            CONNECTION_LOST         yes   ws+sse/ws+ws ws+ws    -
close-1011                            CONNECTION_LOST         yes   ws+sse/ws+ws ws+ws    -
close-1012                            CONNECTION_LOST         yes   ws+sse/ws+ws ws+ws    -
close-1013                            CONNECTION_LOST         yes   ws+sse/ws+ws ws+ws    -
close-3000                            CONNECTION_LOST         yes   ws+sse/ws+ws ws+ws    -
close-4000                            CONNECTION_LOST         yes   ws+sse/ws+ws ws+ws    -
close-1002                            PROTOCOL_ERROR          no    ws+sse    ws       -
close-1003                            PROTOCOL_ERROR          no    ws+sse    ws       -
close-1007                            PROTOCOL_ERROR          no    ws+sse    ws       -
close-1008                            UPSTREAM_ERROR          no    ws+sse/ws+ws ws+ws    -
close-1009                            MESSAGE_TOO_BIG         no    ws+sse    ws       -

# A line that has served a turn breaks: the next one is tried, whatever the code.
used-reset                            CONNECTION_LOST         yes   ws+ws     ws+ws    -
used-end-of-stream                    CONNECTION_LOST         yes   ws+ws     ws+ws    -
used-close-1000                       CONNECTION_LOST         yes   ws+ws     ws+ws    -
used-close-1011                       CONNECTION_LOST         yes   ws+ws     ws+ws    -
used-close-1008                       UPSTREAM_ERROR          no    ws+ws     ws+ws    -

# What cannot be understood.
not-json                              PROTOCOL_ERROR          no    ws+sse    ws+ws    sse+sse
not-an-object                         PROTOCOL_ERROR          no    ws+sse    ws+ws    sse+sse
no-type                               PROTOCOL_ERROR          no    ws+sse    ws+ws    sse+sse
not-utf8                              PROTOCOL_ERROR          no    ws+sse    ws+ws    sse+sse
binary                                PROTOCOL_ERROR          no    ws+sse    -        -
bad-frame                             PROTOCOL_ERROR          no    ws+sse    -        -

# Silence.
silence                               TIMEOUT                 yes   ws+sse    ws+ws    sse+sse
dead-peer                             CONNECTION_LOST         yes   ws+sse/ws+ws ws+ws    -
"""

MOMENTS = {"before": "start", "created": "created", "content": "content"}
"""And how the simulator calls them."""

HALF = "Half of an answer, and then"
"""What it says before trouble that comes after content."""


def code(name: str) -> Fail:
    return Fail("It went wrong.", name, 418, "")


def status(number: int, **headers: str) -> Fail:
    reported = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fail("It went wrong.", None, number, "", headers=reported, shape="nested")


def limited(shape: str, message: str = "Try again in 7s.", **headers: str) -> Fail:
    reported = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fail(message, "rate_limit_exceeded", 429, "", None, reported, shape)  # type: ignore[arg-type]


STEPS: dict[str, Step] = {
    "retry-after": status(429, retry_after="7"),
    "retry-after-ms": status(429, retry_after_ms="1500"),
    "not-now": status(503, retry_after="20"),
    "should-not-retry": status(500, x_should_retry="false"),
    "should-retry": status(418, x_should_retry="true"),
    "never-for-billing": status(402, x_should_retry="true"),
    "shape-nested": limited("nested", "No.", retry_after="7"),
    "shape-headers-on-top": limited("top_headers", "No.", retry_after="7"),
    "shape-status-code": limited("status_code"),
    "shape-body": limited("body"),
    "shape-flat": limited("flat"),
    "shape-failed": limited("response_failed"),
    "shape-no-code": Fail("Bad.", None, 400, "invalid_request_error", shape="no_code"),
    "shape-message-only": Fail("Bad.", None, 418, "", shape="message_only"),
    "chain-not-found": code("previous_response_not_found"),
    "chain-stale": code("codex_previous_response_stale"),
    "chain-not-found-404": Fail("Gone.", "previous_response_not_found", 404, "", shape="nested"),
    "chain-failed": Fail("Gone.", "previous_response_not_found", 400, "", shape="response_failed"),
    "chain-flat": Fail("Gone.", "previous_response_not_found", 400, "", shape="flat"),
    "chain-by-parameter": Fail("Gone.", "invalid", 400, "", "previous_response_id", shape="nested"),
    "chain-in-words": Fail("Invalid `previous_response_id`.", None, 400, "", shape="message_only"),
    "forgotten-no-call": Fail("No tool call found.", None, 400, "", "input", shape="nested"),
    "forgotten-no-match": Fail("no match", "mock_error", 400, "", shape="nested"),
    "forgotten-404": Fail("Response not stored.", "not_found_error", 404, "", shape="nested"),
    "forgotten-422": Fail("Bad.", None, 422, "", shape="nested"),
    "forgotten-no-status": Fail("Bad.", None, 0, "invalid_request_error", shape="no_code"),
    "reasoning-alone": Fail(
        "Item 'rs_1' of type 'reasoning' was provided without its required following item.",
        *(None, 400, "invalid_request_error", "input"),
        shape="nested",
    ),
    "reasoning-gone": Fail("Item with id 'rs_1' not found.", None, 404, "", "input", shape="nested"),
    "reasoning-unknown": Fail("Unsupported item type: 'reasoning'", "unsupported", 422, "", shape="nested"),
    "reset": Drop(),
    "used-reset": Drop(),
    "used-end-of-stream": Drop(reset=False),
    "end-of-stream": Drop(reset=False),
    "ends-too-early": End(),
    "not-json": NOT_JSON,
    "not-an-object": NOT_AN_OBJECT,
    "no-type": NO_TYPE,
    "not-utf8": BAD_UTF8,
    "binary": BINARY,
    "bad-frame": BAD_FRAME,
    "silence": Hang(),
    "dead-peer": Hang(pongs=False),
}
"""What is done, where the name does not say it all."""

LATER: dict[str, Step] = {
    **{f"close-{number}": Drop() for number in (1000, 1001, 1011, 1012, 1013, 3000, 4000)},
    "close-1008": Fail("No.", None, 418, "", shape="nested"),
    "dead-peer": Drop(),
    **{name: code("previous_response_not_found") for name in STEPS if name.startswith("chain-")},
    **{f"close-{number}": NOT_JSON for number in (1002, 1003, 1007)},
    "close-1009": status(413),
    "binary": NOT_JSON,
    "bad-frame": NOT_JSON,
}
"""What is done to later attempts, where that is another thing."""

HASTE_S = "0.3"
ARRIVED_S = "1.5"
"""Until then a request has been read by a simulator on a busy machine, too: a test counts it there."""

SETTINGS = {
    ("silence", "before"): {"FIRST_EVENT_TIMEOUT_S": ARRIVED_S},
    ("silence", "created"): {"IDLE_TIMEOUT_S": HASTE_S},
    ("silence", "content"): {"IDLE_TIMEOUT_S": HASTE_S},
    ("dead-peer", "before"): {"PING_INTERVAL_S": HASTE_S, "PING_TIMEOUT_S": ARRIVED_S},
    **{
        ("dead-peer", moment): {"PING_INTERVAL_S": HASTE_S, "PING_TIMEOUT_S": HASTE_S}
        for moment in MOMENTS
        if moment != "before"
    },
}
"""The wait that runs out is short; the others are not, so that a slow machine does not make them run out."""


@dataclass(frozen=True)
class Row:
    """One line of the table. `chained`: it happens in a session's second turn, which sends an id."""

    name: str
    reason: str
    retryable: bool
    routes: dict[str, tuple[list[str], list[str]]]
    retry_after: float | None

    @property
    def chained(self) -> bool:
        return self.name.startswith(("chain-", "forgotten-", "used-"))

    @property
    def step(self) -> Step:
        kind, _, number = self.name.removeprefix("used-").partition("-")
        match kind:
            case "status":
                return status(int(number))
            case "page":
                return Page(int(number))
            case "close":
                return Close(int(number))
            case _:
                return STEPS.get(self.name) or code(self.name)


@dataclass(frozen=True)
class Cell:
    """`routes`: what each attempt goes over, the fault happening each time."""

    row: Row
    transport: str
    moment: str

    def __str__(self) -> str:
        return f"{self.row.name}-{self.transport}-{self.moment}"

    @property
    def routes(self) -> list[str]:
        routes = self.row.routes[self.transport][self.moment != "before"]
        return routes[:1] if self.moment == "content" else routes

    @property
    def settings(self) -> dict[str, str]:
        return SETTINGS.get((self.row.name, self.moment), {})

    def scripts(self) -> Iterator[Script]:
        for attempt, _ in enumerate(self.routes):
            step = LATER.get(self.row.name, self.row.step) if attempt else self.row.step
            yield Script(*until(MOMENTS[self.moment]), step)  # type: ignore[arg-type]


def _rows() -> Iterator[Row]:
    for line in TABLE.splitlines():
        if not line or line.startswith("#"):
            continue
        name, reason, retry, auto, forced, sse, *after = line.split()
        routes = {"auto": auto, "forced": forced, "sse": sse}
        yield Row(
            name,
            reason,
            {"yes": True, "no": False}[retry],
            {key: _routes(went) for key, went in routes.items()},
            float(after[0]) if after else None,
        )


def _routes(went: str) -> tuple[list[str], list[str]]:
    """Before `created`, and after it."""
    before, _, after = went.partition("/")
    return tuple([] if one == "-" else one.split("+") for one in (before, after or before))  # type: ignore[return-value]


ROWS = list(_rows())
CELLS = [
    Cell(row, transport, moment)
    for row in ROWS
    for transport in row.routes
    for moment in MOMENTS
    if any(row.routes[transport])
    # A page, and what comes too early, can only come first.
    if moment == "before" or not row.name.startswith("page-")
]
