"""Run the simulator until a signal: `python -m simulator`."""

import argparse
import asyncio
import os
import signal
import sys

from simulator import Settings, Simulator
from simulator.scripts.catalog import manual
from simulator.scripts.dialects import DIALECTS


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="simulator",
        description="A scripted Responses upstream. A message of the user may ask for an answer by name.",
        epilog=f"answers by name:\n{manual()}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=8400, help="0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument(
        "--refuse-websocket", type=int, metavar="STATUS", help="refuse handshakes with this HTTP status"
    )
    parser.add_argument("--delay-ms", type=float, default=0.0, help="pause before each delta")
    parser.add_argument("--max-age-s", type=float, default=3600.0, help="age at which a WebSocket is ended")
    parser.add_argument(
        "--dialect", choices=sorted(DIALECTS), default="original", help="answer as this server does"
    )
    return parser.parse_args()


async def serve(options: argparse.Namespace) -> int:
    settings = Settings(
        refuse_websocket=options.refuse_websocket,
        delay_s=options.delay_ms / 1000,
        max_age_s=options.max_age_s,
        dialect=DIALECTS[options.dialect],
    )
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    simulator = Simulator(options.port, host=options.host, settings=settings)
    try:
        await simulator.start()
    except OSError as problem:
        print(
            f"simulator: cannot listen on {options.host}:{options.port}: {os.strerror(problem.errno or 0)}",
            file=sys.stderr,
        )
        return 1
    print(f"simulator: listening on {simulator.url}", flush=True)
    await ended.wait()
    await simulator.stop()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(serve(arguments())))
