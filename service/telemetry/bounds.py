"""How long a text may be that is shown or kept: `cut`. Labels, spans, log lines and caches all ask here.

What callers and upstreams name themselves (models, tiers, ids, codes) is bounded where it enters, and again
here, so that a field that is added without a bound costs its own text and not the memory of the process.
"""

from __future__ import annotations

SHOWN_CHARACTERS = 256
"""A label, a span's name or attribute, a field of a log line: as long as the longest model accepted."""

MESSAGE_CHARACTERS = 16 * 1024
"""The message of a log line, and the place of an error in it: a traceback of ours fits."""

CONTENT_CHARACTERS = 32 * 1024
"""An attribute that holds what was said, where the operator asked for it. 2,048 spans may wait for export."""

REMEMBERED_CHARACTERS = 128
"""Longer texts are not worth a place in a cache."""


def truncate(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """At most so many characters, the last one a sign that there were more."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
