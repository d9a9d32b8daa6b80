"""Parse `sim:name(key=value, …)` out of a user's message."""

import re
from dataclasses import dataclass, field

from simulator.errors import ApiError

_DIRECTIVE = re.compile(r'\bsim:([a-z_]+)(?:\(((?:"[^"]*"|[^")])*)\))?')
_ARGUMENT = re.compile(r'\s*(\w+)\s*=\s*(?:"([^"]*)"|(.*?))\s*(?:,(?=\s*\w+\s*=)|$)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Directive:
    name: str
    arguments: dict[str, str] = field(default_factory=dict)


def find(text: str) -> Directive | None:
    """Find the first directive. A value may contain commas; one with a parenthesis needs double quotes."""
    match = _DIRECTIVE.search(text)
    if match is None:
        return None
    arguments = _ARGUMENT.finditer(match[2] or "")
    return Directive(match[1], {found[1]: found[3] if found[2] is None else found[2] for found in arguments})


def read(text: str) -> Directive:
    """Parse a text that must contain a directive. Raises ApiError."""
    found = find(text)
    if found is None:
        raise ApiError(f"Not a simulator directive: '{text}'.", code="invalid_value")
    return found


def without(text: str) -> str:
    """Return the text without its directives."""
    return _DIRECTIVE.sub("", text).strip()
