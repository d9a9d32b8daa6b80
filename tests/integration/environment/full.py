"""The service, which takes all of its files away when it gets SIGUSR1, and gives them back with SIGUSR2."""

import asyncio
import contextlib
import os
import resource
import signal
import sys

from service import app
from service.config import settings

taken: list[int] = []


async def main() -> int:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, take)
    loop.add_signal_handler(signal.SIGUSR2, give)
    return await app.serve(settings.load(os.environ))


def take() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, hard))
    with contextlib.suppress(OSError):
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    tell("taken")


def give() -> None:
    while taken:
        os.close(taken.pop())
    tell("given")


def tell(what: str) -> None:
    sys.stdout.write(f"files {what}\n")
    sys.stdout.flush()


LIMIT = 256

if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
