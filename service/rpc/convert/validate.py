"""Collect what is wrong with a request and report it in one error.

The checks here are shared by several fields; they get paths and values, not messages.
"""

from __future__ import annotations

import re

from service.domain.errors import Reason, TurnError, Violation

MAX_VIOLATIONS = 20
SHOWN_CHARACTERS = 64
"""The characters of a caller's value that an error repeats."""

SESSION_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Violations:
    """The violations found so far. Raises INVALID_REQUEST once there are `MAX_VIOLATIONS`."""

    def __init__(self) -> None:
        self._found: list[Violation] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, field: str, description: str) -> None:
        self._found.append(Violation(field, description))
        if len(self._found) == MAX_VIOLATIONS:
            self.check()

    def check(self) -> None:
        """Raise INVALID_REQUEST if there is any violation."""
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
        """Check a range. NaN is in no range."""
        if value is not None and not low <= value <= high:
            self.add(field, f"must be a number from {low:g} to {high:g}")

    def session_id(self, value: str) -> None:
        if not SESSION_ID.fullmatch(value):
            self.add("session_id", "must be 1 to 128 characters of A-Z a-z 0-9 _ . : -")


def shown(value: str) -> str:
    """Return a caller's value as an error repeats it."""
    return repr(value if len(value) <= SHOWN_CHARACTERS else f"{value[:SHOWN_CHARACTERS]}…")
