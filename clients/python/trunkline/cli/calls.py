"""`trunkline warm`, `release`, `cancel` and `health`: one call each, and its result.

`main` reports a failure of the first three; for `health` a failure is the answer.
"""

import asyncio
from argparse import Namespace

import grpc

from trunkline.cli.exits import FAILED, OK, UNAVAILABLE
from trunkline.cli.reach import connect
from trunkline.cli.records import error_record, session_record
from trunkline.cli.terminal import Terminal
from trunkline.errors import TrunklineError
from trunkline.health import SERVING

NOT_THERE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def warm(given: Namespace, terminal: Terminal) -> int:
    async def call() -> int:
        async with connect(given, given.address) as client:
            session = await client.warm_session(
                given.session, model=given.model, instructions=given.instructions, prime=given.prime
            )
        if given.json:
            terminal.record(session_record(session, address=given.address))
        else:
            terminal.say(f"{session.session_id}: the line is {'open' if session.live else 'not open'}")
        return OK

    return asyncio.run(call())


def release(given: Namespace, terminal: Terminal) -> int:
    async def call() -> int:
        async with connect(given, given.address) as client:
            await client.release_session(given.session)
        if given.json:
            record = {"type": "released", "address": given.address, "session_id": given.session}
            terminal.record(record)
        else:
            terminal.say(f"{given.session}: released")
        return OK

    return asyncio.run(call())


def cancel(given: Namespace, terminal: Terminal) -> int:
    async def call() -> int:
        async with connect(given, given.address) as client:
            await client.cancel_turn(given.session, turn_id=given.turn, turn_key=given.turn_key)
        if given.json:
            record = {"type": "cancelled", "address": given.address, "session_id": given.session}
            terminal.record(record)
        else:
            terminal.say(f"{given.session}: the turn is cancelled")
        return OK

    return asyncio.run(call())


def health(given: Namespace, terminal: Terminal) -> int:
    async def ask_all() -> list[str | TrunklineError]:
        return await asyncio.gather(*(_ask(given, address) for address in given.address))

    answers = asyncio.run(ask_all())
    for address, answer in zip(given.address, answers, strict=True):
        _tell(given, terminal, address, answer)
    codes = [_code(answer) for answer in answers]
    return UNAVAILABLE if UNAVAILABLE in codes else max(codes)


async def _ask(given: Namespace, address: str) -> str | TrunklineError:
    async with connect(given, address) as client:
        try:
            return await client.health()
        except TrunklineError as error:
            return error


def _tell(given: Namespace, terminal: Terminal, address: str, answer: str | TrunklineError) -> None:
    failed = isinstance(answer, TrunklineError)
    if given.json:
        record = {"type": "health", "address": address, "status": None if failed else answer}
        terminal.record(
            error_record(answer, address=address) if isinstance(answer, TrunklineError) else record
        )
    else:
        terminal.say(f"{address}  {answer}", "green" if answer == SERVING else "red")


def _code(answer: str | TrunklineError) -> int:
    if isinstance(answer, TrunklineError):
        return UNAVAILABLE if answer.status in NOT_THERE else FAILED
    return OK if answer == SERVING else UNAVAILABLE
