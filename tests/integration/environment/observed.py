"""The service, which prints the modules that it has imported when it gets SIGUSR1."""

import asyncio
import os
import signal
import sys

from service import app
from service.config import settings


async def main() -> int:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, tell)
    return await app.serve(settings.load(os.environ))


def tell() -> None:
    sys.stdout.write(f"modules {' '.join(sys.modules)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
