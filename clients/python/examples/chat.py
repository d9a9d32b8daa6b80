"""The smallest chat: type a line, watch the answer, Ctrl-D to leave.

Needs a service: `make run` in another terminal. Another address or model: chat.py HOST:PORT MODEL.
"""

import asyncio
import sys

from trunkline import AsyncClient, Done, TextDelta, TrunklineError


async def main(address: str = "127.0.0.1:50051", model: str = "gpt-5.6") -> None:
    async with AsyncClient(address) as client:
        conversation = client.conversation(model=model)
        while line := await asyncio.to_thread(read_line):
            try:
                async for event in conversation.stream(line):
                    match event:
                        case TextDelta(delta=delta):
                            print(delta, end="", flush=True)
                        case Done(report=report):
                            print(f"\n[{report.transport}, {report.context}: {report.context_reason}]")
            except TrunklineError as error:
                print(f"\n{error}")


def read_line() -> str:
    try:
        return input("> ")
    except EOFError:
        return ""


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
