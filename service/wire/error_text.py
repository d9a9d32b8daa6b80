"""Prepare what an upstream or a library said about a failure to be shown: one line, cut, without names.

An upstream repeats the key that it refused and names whose limit is exhausted. Every tenant of the service
sees these messages, and the key and the organisation are the operator's:

    Incorrect API key provided: sk-proj-abc123.           Incorrect API key provided: [key].
    Limit reached in organization org-4fJ2kd0QzX on ...   Limit reached in organization [id] on ...
"""

from __future__ import annotations

import re

MAX_TEXT_CHARACTERS = 500
SEARCHED_CHARACTERS = 4096
"""No more of a text is searched: the time is in proportion."""

_KEYS = re.compile(r"\b(?:sk|pk|key)-[\w*.-]{4,}|\bbearer\s+\S+", re.IGNORECASE)

_OWNERS = "organi[sz]ation|org|project|proj|workspace|account|subscription|tenant|team|user|key"
_PREFIXED = re.compile(
    rf"\b(?:(?:{_OWNERS}|acct|wrkspc)[-_](?:(?=[\w*-]{{0,64}}\d)[\w*-]{{3,}}|[A-Za-z0-9]{{12,}}(?![\w-]))"
    r"|(?:org|proj)[-_][A-Za-z0-9]{4,}(?![\w-]))",
    re.IGNORECASE,
)
"""`org-4fJ2kd0QzX`, `proj_…`, `key_…`: a digit, its length or the short prefix tells an id from
`project_spend_limit`.
"""

_NAMED = re.compile(
    rf"\b((?:{_OWNERS})(?:[ _-]?ids?)?(?:\s+is)?[\s:='\"`(<]+)(?=[\w-]{{0,64}}\d)[\w-]{{6,}}", re.IGNORECASE
)
"""`project 8f0c51d2-…`, `organization: 481516`: what follows the word and holds a digit."""


def one_line(text: str) -> str:
    """Return the text on one line, at most `MAX_TEXT_CHARACTERS` long, with keys and ids replaced."""
    masked = _KEYS.sub("[key]", text[:SEARCHED_CHARACTERS])
    masked = _NAMED.sub(r"\1[id]", _PREFIXED.sub("[id]", masked))
    shown = " ".join(masked.split())
    return shown if len(shown) <= MAX_TEXT_CHARACTERS else shown[: MAX_TEXT_CHARACTERS - 1] + "…"


def in_log(error: Exception) -> str:
    """Format a library's exception for the log.

    Callers only get its type: the text names internal addresses and details of TLS.
    """
    return f"{type(error).__name__}: {one_line(str(error))}"
