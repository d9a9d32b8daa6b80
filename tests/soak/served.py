"""The service as a process that also reports what it holds: `python -m tests.soak.served`.

Each line on standard input is answered by one line of JSON with the counts of this moment. Closing
standard input changes nothing; the service ends by a signal, as elsewhere.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

from service.app import serve
from service.config.file_limit import raise_file_limit
from service.config.settings import load
from service.runtime import process
from service.runtime.paced_loop import PacedSelector
from service.sessions.manager import Manager


def census() -> dict[str, int]:
    """Count what the process holds after a full garbage collection."""
    gc.unfreeze()  # at its start the service freezes all objects, its manager among them
    gc.collect()
    manager = next(one for one in gc.get_objects() if type(one) is Manager)
    endpoint = next(iter(manager._upstreams))
    pool = endpoint.pool
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    transport: Any = endpoint.upstream._http._transport
    kept = [connection for connection in transport._pool.connections if connection.is_idle()]
    return {
        "tasks": len(asyncio.all_tasks()),
        # Idle HTTP connections are bounded, and expired ones are closed by the next request.
        "files": len(list(Path("/proc/self/fd").iterdir())) - len(kept),
        "kept": len(kept),
        "lines": pool._state.leased + pool._state.idle + pool._state.dialing,
        "leases": pool._state.leased,
        "waiters": len(pool._waiters),
        "places": manager._admission.running,
        "turns": len(manager._running),
        "sessions": len(manager._registry),
        "kept_turns": len(manager.kept),
        "kept_bytes": manager.kept.kept_bytes,
        "rss": pages * os.sysconf("SC_PAGE_SIZE"),
    }


async def answer_requests() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer
    )
    while await reader.readline():
        sys.stdout.write(json.dumps(census()) + "\n")
        sys.stdout.flush()


async def main(pace: PacedSelector | None) -> int:
    settings = load(os.environ)
    raise_file_limit(settings)
    answering = asyncio.create_task(answer_requests(), name="census")
    try:
        return await serve(settings, pace)
    finally:
        answering.cancel()


if __name__ == "__main__":
    runner, pace = process.runner()
    with runner:
        sys.exit(runner.run(main(pace)))
