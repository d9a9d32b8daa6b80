"""Count what a warm one-delta turn creates in the service: `python -m tools.turn_objects`.

Prints the instances of the service's classes, its async generators and its tasks, with their names. A class
is a value type if its instances are immutable (a tuple, an enum, a frozen dataclass or struct), as events and
messages are. The instances of all other classes are the turn's objects: they have a state that changes.

Service and simulator run in this process, with authentication, traces and metrics on. Only code of `service/`
is counted, generated code excepted. An instance is seen when its Python `__init__` begins: exceptions without
one are not counted, nor are structs that msgspec decodes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from statistics import median_low
from types import CodeType, FrameType
from typing import Any

import grpc

from service.gen.trunkline.v1 import completion_pb2 as pb
from service.gen.trunkline.v1 import completion_pb2_grpc
from service.gen.trunkline.v1.message_pb2 import ROLE_USER, Message, Part, TextPart
from simulator import Simulator

SERVICE = Path(__file__).parents[1] / "service"
WARM_UP = 3
TURNS = 7
"""So many turns are counted; the median of each number leaves out what the service does from time to time."""

SETTLE_S = 0.1
"""What follows a call, such as publishing its telemetry, is over once nothing was created for so long."""

START_TIMEOUT_S = 30.0
TOKEN = "a-token-of-the-counting-tool"  # noqa: S105
SETTINGS = {
    "OPENAI_API_KEY": "k",
    "TRUNKLINE_METRICS_LISTEN": "127.0.0.1:0",
    "TRUNKLINE_AUTH_TOKENS": f"{TOKEN}=count",
    "OTEL_TRACES_EXPORTER": "otlp",
}


@dataclass
class Counts:
    """What was created, by name."""

    objects: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    async_generators: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)

    def report(self) -> str:
        lines = []
        for name, group in vars(self).items():
            lines.append(f"{name.replace('_', ' ')}: {group.total()}")
            lines += [f"{number:5} {one}" for one, number in sorted(group.items())]
        return "\n".join(lines) + "\n"


def median(turns: Sequence[Counts]) -> Counts:
    """Return the median of each number; what most turns do not create is left out."""
    result = Counts()
    for name, group in vars(result).items():
        each: list[Counter[str]] = [getattr(turn, name) for turn in turns]
        for one in set().union(*each):
            number = median_low([counter[one] for counter in each])
            if number:
                group[one] = number
    return result


def is_value(kind: type) -> bool:
    """Return whether the instances of the class are immutable."""
    parameters = getattr(kind, "__dataclass_params__", None) or getattr(kind, "__struct_config__", None)
    return bool(getattr(parameters, "frozen", False)) or issubclass(
        kind, (tuple, Enum, str, bytes, int, float)
    )


class Counting:
    """Counts what the package at `folder` creates while `installed`."""

    def __init__(self, folder: Path = SERVICE) -> None:
        self.counts = Counts()
        self._package = folder.name
        self._own, self._generated = str(folder) + os.sep, str(folder / "gen") + os.sep

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Count what this thread and its running event loop create."""
        loop, hooks = asyncio.get_running_loop(), sys.get_asyncgen_hooks()
        factory, profile = loop.get_task_factory(), sys.getprofile()

        def first_iteration(generator: Any) -> None:
            if self._is_own(generator.ag_code):
                self.counts.async_generators[generator.ag_code.co_qualname] += 1
            if hooks.firstiter is not None:
                hooks.firstiter(generator)

        sys.set_asyncgen_hooks(first_iteration, hooks.finalizer)
        loop.set_task_factory(self._task)
        sys.setprofile(self._profile)
        try:
            yield
        finally:
            sys.setprofile(profile)
            loop.set_task_factory(factory)
            sys.set_asyncgen_hooks(*hooks)

    def _task(self, loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        code = getattr(coroutine, "cr_code", None)
        if code is not None and self._is_own(code):
            self.counts.tasks[code.co_qualname] += 1
        return asyncio.Task(coroutine, loop=loop, **options)

    def _profile(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        code = frame.f_code
        if code.co_name == "__init__":
            created, caller = _first_argument(frame), frame.f_back
            by_super = caller and caller.f_code.co_name == "__init__" and _first_argument(caller) is created
            if not by_super:
                self._instance(type(created))
        elif code.co_name == "<lambda>" and code.co_varnames[:1] == ("_cls",):
            self._instance(frame.f_locals["_cls"])  # the `__new__` of a named tuple

    def _instance(self, kind: type) -> None:
        package, _, module = kind.__module__.partition(".")
        if package == self._package and not module.startswith("gen."):
            group = self.counts.values if is_value(kind) else self.counts.objects
            group[f"{module}.{kind.__qualname__}"] += 1

    def _is_own(self, code: CodeType) -> bool:
        file = code.co_filename
        return file.startswith(self._own) and not file.startswith(self._generated)


def _first_argument(frame: FrameType) -> Any:
    return frame.f_locals.get(frame.f_code.co_varnames[0])


async def count() -> Counts:
    """Start the service as `python -m service` would, and count the second turns of some sessions."""
    from service.app import serve  # noqa: PLC0415  after main has set what OpenTelemetry reads on import
    from service.config.settings import load  # noqa: PLC0415

    async with Simulator(port=0) as simulator:
        address = f"127.0.0.1:{_free_port()}"
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = simulator.url  # refuses them: the log is off
        own = {"TRUNKLINE_LISTEN": address, "TRUNKLINE_UPSTREAM_URL": simulator.url}
        serving = asyncio.create_task(serve(load(os.environ | own)))
        try:
            async with grpc.aio.insecure_channel(address) as channel:
                await asyncio.wait_for(channel.channel_ready(), START_TIMEOUT_S)
                stub = completion_pb2_grpc.CompletionServiceStub(channel)
                counted = [await _second_turn(stub, f"s{number}") for number in range(WARM_UP + TURNS)]
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving
    return median(counted[WARM_UP:])


async def _second_turn(stub: Any, session: str) -> Counts:
    user = Message(role=ROLE_USER, parts=[Part(text=TextPart(text="sim:words(n=1)"))])
    first, _ = await _counted_turn(stub, session, [user])
    second, counts = await _counted_turn(stub, session, [user, first[-1].done.message, user])
    assert [event.WhichOneof("event") for event in second] == ["start", "text_delta", "done"]
    assert second[-1].done.report.context == pb.CONTEXT_INCREMENTAL
    return counts


async def _counted_turn(
    stub: Any, session: str, messages: Sequence[Message]
) -> tuple[list[pb.StreamCompletionResponse], Counts]:
    counting = Counting()
    with counting.installed():
        events = await _turn(stub, session, messages)
        before = None
        while counting.counts != before:
            before = deepcopy(counting.counts)
            await asyncio.sleep(SETTLE_S)
    return events, counting.counts


async def _turn(stub: Any, session: str, messages: Sequence[Message]) -> list[pb.StreamCompletionResponse]:
    request = pb.StreamCompletionRequest(session_id=session, model="simulated-1", messages=messages)
    call = stub.StreamCompletion(request, metadata=(("authorization", f"Bearer {TOKEN}"),))
    return [event async for event in call]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def main() -> None:
    for name in list(os.environ):
        if name.startswith(("TRUNKLINE_", "OTEL_")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(SETTINGS)
    logging.disable()
    print(asyncio.run(count()).report(), end="")


if __name__ == "__main__":
    main()
