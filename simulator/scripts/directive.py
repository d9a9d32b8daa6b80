"""Reading `sim:name(key=value, …)` out of what a user said.

Owns the small grammar. It must never know which names exist.
"""

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
    """The first directive in a text. A value may hold commas; one with a parenthesis needs double quotes."""
    match = _DIRECTIVE.search(text)
    if match is None:
        return None
    arguments = _ARGUMENT.finditer(match[2] or "")
    return Directive(match[1], {found[1]: found[3] if found[2] is None else found[2] for found in arguments})


def read(text: str) -> Directive:
    """A text that is meant to be a directive."""
    found = find(text)
    if found is None:
        raise ApiError(f"Not a simulator directive: '{text}'.", code="invalid_value")
    return found


def without(text: str) -> str:
    """The text as a person meant it."""
    return _DIRECTIVE.sub("", text).strip()
