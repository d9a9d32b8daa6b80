"""How the end of a call is known, whatever its handler does."""

import asyncio
from contextlib import suppress
from typing import Any, NamedTuple, cast

import grpc
import pytest

from service.telemetry import names
from service.telemetry.rpc_interceptor import Observation
from tests.watching import PATIENCE_S, Seen, watching

METHOD = "/trunkline.v1.SessionService/GetSession"


class Context:
    def __init__(self, code: object = None) -> None:
        self._code = code

    def code(self):
        return self._code

    def time_remaining(self):
        return None


class Details(NamedTuple):
    method: str
    invocation_metadata: tuple[tuple[str, str], ...] = ()


async def call(seen: Seen, handler: Any, context: Context, method: str = METHOD) -> None:
    """Run one call in a task of its own, as grpc does."""

    async def continuation(_details):
        return handler

    async def run():
        details: Any = Details(method)
        found: Any = await Observation([METHOD], seen.telemetry).intercept_service(continuation, details)
        if found is not None:
            await found.stream_unary(None, context)

    with suppress(asyncio.CancelledError, ValueError):
        await asyncio.wait_for(asyncio.create_task(run()), PATIENCE_S)


def raising(error: BaseException | None) -> Any:
    async def handle(_request, _context):
        if error is not None:
            raise error

    return grpc.stream_unary_rpc_method_handler(handle)


async def status(seen: Seen, handler: Any, context: Context, method: str = METHOD) -> object:
    await call(seen, handler, context, method)
    await seen.until(lambda: seen.spans)
    return (seen.spans[0].attributes or {}).get(names.RPC_STATUS)


@pytest.mark.parametrize(
    ("handler", "code", "expected"),
    [
        (raising(None), None, "OK"),
        (raising(None), grpc.StatusCode.NOT_FOUND, "NOT_FOUND"),
        (raising(None), 5, "NOT_FOUND"),
        (raising(ValueError("s3cret")), None, "UNKNOWN"),
        (raising(asyncio.CancelledError()), None, "CANCELLED"),
        (None, None, "UNIMPLEMENTED"),
    ],
    ids=["returned", "a status", "a number", "a bug", "cancelled", "no handler"],
)
async def test_the_status_follows_from_how_the_handler_ended(handler, code, expected):
    with watching() as seen:
        assert await status(seen, handler, Context(code)) == expected
        assert "s3cret" not in seen.spans[0].to_json()


async def test_probes_are_not_observed():
    with watching() as seen:
        await call(seen, raising(None), Context(), "/grpc.health.v1.Health/Check")
        assert seen.spans == []


async def test_waiting_for_calls_has_an_end_and_sees_them_recorded():
    with watching() as seen:
        observation, release = Observation([METHOD], seen.telemetry), asyncio.Event()

        async def continuation(_details):
            return None

        async def run():
            await observation.intercept_service(continuation, cast(Any, Details(METHOD)))
            await release.wait()

        await observation.ended(0)
        running = asyncio.create_task(run())
        await asyncio.sleep(0)
        await observation.ended(0.01)
        assert not running.done()
        release.set()
        await observation.ended(PATIENCE_S)
        assert [span.name for span in seen.spans] == [METHOD.removeprefix("/")]
