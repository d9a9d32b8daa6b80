"""JSON that the caller wrote into a string field: schemas, and what the contract does not name yet.

Such a string is one JSON object, bounded in bytes, nodes and depth, in this order: each check costs no more
than the one before it allows, and all come before the parser. A parser makes up to 100 bytes of 2, and one
that recurses is what the depth protects.
"""

from __future__ import annotations

import re
from typing import cast

import msgspec

from service.domain.errors import Reason, TurnError, Violation
from service.domain.limits import MAX_JSON_BYTES, MAX_JSON_DEPTH, MAX_JSON_NODES, json_nodes

# Brackets, and strings so that the brackets inside them are passed over. Possessive, and with the closing
# quote left optional, so that no input makes the scan go back: it is linear.
_BRACKETS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|([{\[])|[}\]]', re.DOTALL)


def parse_object(text: str, field: str) -> dict[str, object]:
    """The object, its keys in their order. TurnError INVALID_REQUEST names the field."""
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
    # What does not open that many brackets needs no closer look: nearly everything.
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
