"""Run the conformance scenarios: `conformance.py ADDRESS SCENARIOS [NAME…]` prints the transcript.

clients/conformance/README.md is the specification. `--sync` uses the blocking client: the transcript must be
the same.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from conforming.faces import AsyncFace, Face, SyncFace
from conforming.runner import Run
from conforming.transcript import Transcript


async def main(face: Face, data: Any, names: list[str]) -> None:
    if unknown := set(names) - {scenario["name"] for scenario in data["scenarios"]}:
        sys.exit(f"conformance: no such scenario: {', '.join(sorted(unknown))}")
    transcript = Transcript(sys.stdout.buffer)
    try:
        run = Run(face, transcript, data)
        for scenario in data["scenarios"]:
            if not names or scenario["name"] in names:
                await run.scenario(scenario)
    finally:
        await face.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser("conformance")
    parser.add_argument("--sync", action="store_true", help="with the blocking client")
    parser.add_argument("address")
    parser.add_argument("scenarios", type=Path)
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    chosen = SyncFace(given.address) if given.sync else AsyncFace(given.address)
    asyncio.run(main(chosen, json.loads(given.scenarios.read_text(encoding="utf-8")), given.names))
