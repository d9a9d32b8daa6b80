"""Find the end of a WebSocket frame in received bytes: `frame_end`."""

from __future__ import annotations


def frame_end(data: bytes, at: int) -> int:
    """Return where the frame at `at` ends; 0 when its header is incomplete.

    RFC 6455, section 5.2. Servers do not mask: the mask of a frame that is masked nevertheless counts as
    header.
    """
    have = len(data) - at
    if have < 2:
        return 0
    size = data[at + 1] & 0x7F
    header = 2 if size < 126 else 4 if size == 126 else 10
    if have < header:
        return 0
    if header > 2:
        size = int.from_bytes(data[at + 2 : at + header], "big")
    return at + header + (4 if data[at + 1] > 0x7F else 0) + size
