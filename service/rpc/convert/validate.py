"""What is wrong with a request: collected, then told in one error.

Owns the list of violations and its bound, and the checks that several fields share. Must never know a message
of the contract: it is given paths and values.
"""

from __future__ import annotations

import re

from service.domain.errors import Reason, TurnError, Violation

MAX_VIOLATIONS = 20
SHOWN_CHARACTERS = 64
"""How much of a caller's own value is repeated to them."""

SESSION_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
TOOL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Violations:
    """The list. Ends the search with `TurnError` when it is full: nobody reads the 21st."""

    def __init__(self) -> None:
        self._found: list[Violation] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, field: str, description: str) -> None:
        self._found.append(Violation(field, description))
        if len(self._found) == MAX_VIOLATIONS:
            self.check()

    def check(self) -> None:
        """Raises INVALID_REQUEST if anything was found."""
        if not self._found:
            return
        first = self._found[0]
        more = f" (and {len(self._found) - 1} more)" if len(self._found) > 1 else ""
        message = f"{first.field}: {first.description}{more}"
        raise TurnError(Reason.INVALID_REQUEST, message, violations=tuple(self._found))

    def required(self, field: str, value: str) -> None:
        if not value:
            self.add(field, "is required")

    def at_most(self, field: str, value: str, characters: int) -> None:
        if len(value) > characters:
            self.add(field, f"has {len(value)} characters; at most {characters} are allowed")

    def within(self, field: str, value: float | None, low: float, high: float) -> None:
        """NaN is within nothing."""
        if value is not None and not low <= value <= high:
            self.add(field, f"must be a number from {low:g} to {high:g}")

    def session_id(self, value: str) -> None:
        if not SESSION_ID.fullmatch(value):
            self.add("session_id", "must be 1 to 128 characters of A-Z a-z 0-9 _ . : -")


def shown(value: str) -> str:
    """A caller's own value, as an error repeats it."""
    return repr(value if len(value) <= SHOWN_CHARACTERS else f"{value[:SHOWN_CHARACTERS]}…")
