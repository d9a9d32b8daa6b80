"""The limits of one request.

The cost of a request depends on its shape as much as on its size: an empty part takes 4 bytes on the wire and
about 1,500 once it is parsed, validated and written as JSON. So each repeated field, name and JSON string has
a bound of its own, checked by its length before its content is processed. Texts, images and files are bounded
by the size of the whole request only: they cost about their size.

`TABLE` is shown in docs/protocol.md; a test compares the two.
"""

from __future__ import annotations

LARGE_BYTES = 32 * 1024
"""A larger request is processed in a thread and piece by piece. Measured: a request of this size costs at
most 15 ms in any shape; a switch to a thread costs 0.1 ms, a tenth of what a normal one of this size costs.
"""

MAX_PARTS = 20_000
"""Twice the default of TRUNKLINE_MAX_MESSAGES: most messages have one part, an answer with tools a few."""

MAX_PARAGRAPHS = 1_000
MAX_PARAGRAPHS_IN_ALL = 20_000
MAX_TOOLS = 1_024
MAX_DESCRIPTION = 65_536
MAX_METADATA_PAIRS = 16
MAX_METADATA_KEY = 64
MAX_METADATA_VALUE = 512
MAX_CACHE_KEY = 64
MAX_SAFETY_IDENTIFIER = 64
MAX_REQUEST_ID = 128
MAX_CONTINUATION = 1_024
MIN_HEARTBEAT_S = 1.0
MAX_MODEL = 256
MAX_OPTION = 128
MAX_NAME = 256
MAX_ID = 16_384
"""As much as an answer's ids and names of calls may have: some servers put reasoning in them, and what was
answered must be accepted when it is sent back.
"""

MAX_URL = 16_384
"""A signed URL has up to 8 KiB. A data URL is content, and has no bound but the request's."""

MAX_PAGE_TOKEN = 256
MAX_SESSION_CALL_BYTES = 65_536

MAX_INCLUDE = 64

MAX_JSON_BYTES = 262_144
MAX_JSON_NODES = 50_000
MAX_JSON_DEPTH = 100
MAX_JSON_BYTES_IN_ALL = 4_194_304
MAX_JSON_NODES_IN_ALL = 200_000
"""A node is a bracket, a comma or a colon outside or inside of strings: what `str.count` counts. A large
normal schema has one in ten bytes; one in five is allowed. Each becomes up to 100 bytes of objects.
"""

MAX_FIELDS = 250_000
"""Of all kinds, nested and unknown ones included. 20,000 parts have 120,000 at most."""

MAX_JSON_GROWTH = 2
"""A body is at most this many times TRUNKLINE_MAX_REQUEST_BYTES. Control characters would grow six times."""

MAX_CHAINED_ITEMS = 4_096
"""An item is remembered in 21 bytes, so a session in 84 KiB at most, and the 10,000 sessions of a tenant in
the 1 GiB of a replica. At 300 tokens an item it is also more than a context of a million tokens holds.
"""

NAMES = "detail, mime_type, filename, phase, upstream_item.type, text.json_schema.name"
IDS = "call_id, file_id, item_id, reasoning.id, tool_call.name"
OPTIONS = (
    "options.service_tier, .truncation, .reasoning.effort, .reasoning.summary, .text.verbosity, .include[]"
)
JSON = (
    "tools[].parameters, tools[].definition_json, options.tool_choice.definition_json, "
    "options.text.json_schema.schema, options.extra_body_json"
)

TABLE: tuple[tuple[str, int, str], ...] = (
    ("messages[].parts", MAX_PARTS, "parts in all, those of tool results included"),
    ("reasoning.summary, reasoning.content", MAX_PARAGRAPHS, "paragraphs each"),
    ("reasoning.summary, reasoning.content", MAX_PARAGRAPHS_IN_ALL, "paragraphs in all"),
    ("tools", MAX_TOOLS, "tools"),
    ("tools[].description", MAX_DESCRIPTION, "characters each"),
    ("options.tool_choice.allowed.functions", MAX_TOOLS, "names, none of them twice"),
    ("options.metadata", MAX_METADATA_PAIRS, "pairs"),
    ("options.metadata, keys", MAX_METADATA_KEY, "characters each"),
    ("options.metadata, values", MAX_METADATA_VALUE, "characters each"),
    ("options.prompt_cache_key", MAX_CACHE_KEY, "characters"),
    ("options.safety_identifier", MAX_SAFETY_IDENTIFIER, "characters"),
    (OPTIONS, MAX_OPTION, "characters each"),
    ("prompt_cache_key of Compact", MAX_CACHE_KEY, "characters"),
    ("service_tier of Compact", MAX_OPTION, "characters"),
    ("request_id", MAX_REQUEST_ID, "characters"),
    ("continuation", MAX_CONTINUATION, "characters"),
    ("model", MAX_MODEL, "characters"),
    (NAMES, MAX_NAME, "characters each"),
    (IDS, MAX_ID, "characters each"),
    ("image.url, file.url", MAX_URL, "characters each; a data URL is content"),
    ("options.include", MAX_INCLUDE, "entries"),
    ("extra_json", MAX_JSON_NODES, "colons each"),
    (JSON, MAX_JSON_BYTES, "bytes each"),
    (JSON, MAX_JSON_NODES, "brackets, commas and colons each"),
    (JSON, MAX_JSON_DEPTH, "levels each"),
    (JSON, MAX_JSON_BYTES_IN_ALL, "bytes in all"),
    (JSON, MAX_JSON_NODES_IN_ALL, "brackets, commas and colons in all"),
    ("the whole request", MAX_FIELDS, "fields of any kind, unknown ones included"),
    ("the whole request", MAX_JSON_GROWTH, "times TRUNKLINE_MAX_REQUEST_BYTES, written as JSON"),
    ("page_token", MAX_PAGE_TOKEN, "characters"),
    ("GetSession, ListSessions, ReleaseSession, CancelTurn", MAX_SESSION_CALL_BYTES, "bytes"),
)
"""Field, bound, unit. Limits that are settings (bytes of a request, messages) are in docs/settings.md."""


def json_nodes(text: str) -> int:
    """Count brackets, commas and colons, even in strings: an upper bound of values and keys."""
    return sum(map(text.count, "{}[],:"))
