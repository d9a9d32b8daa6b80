"""Bound the length of texts in labels, span attributes, log lines and caches.

What callers and upstreams choose themselves (models, tiers, ids, codes) is bounded where it enters and again
here. A field that is added without a bound then costs its own text and not the memory of the process.
"""

from __future__ import annotations

SHOWN_CHARACTERS = 256
"""Of a label, a span's name or attribute, a field of a log line: the length of the longest model accepted."""

MESSAGE_CHARACTERS = 16 * 1024
"""Of the message of a log line, and of the traceback in it: a traceback of the service fits."""

CONTENT_CHARACTERS = 32 * 1024
"""Of an attribute that holds content, where the operator asked for it. 2,048 spans may wait for export."""

REMEMBERED_CHARACTERS = 128
"""Longer texts are not cached."""


def truncate(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """Shorten the text to `limit` characters; the last one is then an ellipsis."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
