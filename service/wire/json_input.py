"""Parse JSON objects in string fields of a request: schemas, and the extra body.

The text is bounded in bytes, then nodes, then depth, and parsed last: each check bounds the cost of the next.
A parser allocates up to 100 bytes for 2 of the text; the depth bound protects its recursion.
"""

from __future__ import annotations

import re
from typing import cast

import msgspec

from service.domain.errors import Reason, TurnError, Violation
from service.domain.limits import MAX_JSON_BYTES, MAX_JSON_DEPTH, MAX_JSON_NODES, json_nodes

# Brackets, and strings so that brackets inside them are skipped. Possessive, and with an optional closing
# quote, so that no input makes the scan backtrack: it is linear.
_BRACKETS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|([{\[])|[}\]]', re.DOTALL)


def parse_object(text: str, field: str) -> dict[str, object]:
    """Parse the object, with its keys in order. Raises TurnError INVALID_REQUEST that names the field."""
    if len(text) > MAX_JSON_BYTES or (
        not text.isascii() and len(text.encode(errors="replace")) > MAX_JSON_BYTES
    ):
        raise refused(field, f"has more than {MAX_JSON_BYTES} bytes, the most that are allowed")
    if len(text) > MAX_JSON_NODES and json_nodes(text) > MAX_JSON_NODES:
        what = f"more than {MAX_JSON_NODES} brackets, commas and colons"
        raise refused(field, f"has {what}, the most that are allowed")
    if _deeper_than(MAX_JSON_DEPTH, text):
        raise refused(field, f"nested more than {MAX_JSON_DEPTH} deep")
    try:
        value = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise refused(field, f"not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise refused(field, "not a JSON object")
    return cast("dict[str, object]", value)


def refused(field: str, description: str) -> TurnError:
    return TurnError(
        Reason.INVALID_REQUEST, f"{field}: {description}", violations=(Violation(field, description),)
    )


def _deeper_than(limit: int, text: str) -> bool:
    # Fast path: nearly every text has fewer opening brackets than the limit.
    if text.count("{") + text.count("[") <= limit:
        return False
    depth = 0
    for token in _BRACKETS.finditer(text):
        if token[1]:
            depth += 1
            if depth > limit:
                return True
        elif token[0] in "}]":
            depth -= 1
    return False
