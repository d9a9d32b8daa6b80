"""Generate what the blocking Python client has in common with the asyncio one but for `await` and names.

The turn and the run exist twice by hand: docs/decisions/0029-generated-sync-client.md.
"""

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "clients/python/trunkline"
MODULES = ("client", "conversation", "events", "session_calls")
PHRASES = {
    "calls about sessions of the asyncio client": "calls about sessions of the blocking client",
    "The asyncio client. Its channel belongs to a loop; the next loop gets another.": "The blocking client.",
    "    _loop: asyncio.AbstractEventLoop\n": "",
    " or self._loop.is_closed():  # a channel ends with its loop": ":",
    "            self._loop = asyncio.get_running_loop()\n": "",
    "service, for asyncio. Make one and keep it: its calls share a connection.": (
        "service. Make one and keep it: its calls, from any thread, share\n    a connection."
    ),
    "A conversation over asyncio:": "A blocking conversation:",
    " Cancelling it cancels the turn.": "",
    "turns and runs for asyncio:": "turns and runs, blocking:",
    "Stops it. Its reader": "Stops it, from any thread. Its reader",
    ".close(None)": ".close()",
    "stub.CancelTurn(": "stub.CancelTurn.future(",
}
"""What holds of one of the clients only."""
RULES = [
    (r"\b(async|await) ", ""),
    (r"\basyncio\b", "time"),
    (r"\bgrpc\.aio\b", "grpc"),
    (r"\btrunkline\.aio\b", "trunkline.sync"),
    (r"\bAsync(Client|Conversation|Iterator)\b", r"\1"),
    (r"\bAsync(?=[A-Z])", "Sync"),
    (r"\baclose\b", "close"),
    (r"\b__a(enter|exit|iter|next)__\b", r"__\1__"),
]
TIDY = ("check --select=I,UP028 --fix-only --unsafe-fixes --quiet", "format --quiet")
"""Sorted imports, `yield from` in place of a loop, and the formatter's line breaks."""


def blocking(name: str) -> str:
    """Return the blocking form of `trunkline/aio/<name>.py`."""
    text = (PACKAGE / f"aio/{name}.py").read_text(encoding="utf-8")
    for ours, theirs in PHRASES.items():
        text = text.replace(ours, theirs)
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    text = f"# Generated from trunkline/aio/{name}.py by `make fmt`, never edited.\n{text}"
    for arguments in TIDY:
        command = [sys.executable, "-m", "ruff", *arguments.split()]
        command += ["--stdin-filename", str(PACKAGE / f"sync/{name}.py"), "-"]
        text = subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603
    return text


if __name__ == "__main__":
    for name in MODULES:
        (PACKAGE / f"sync/{name}.py").write_text(blocking(name), encoding="utf-8")
