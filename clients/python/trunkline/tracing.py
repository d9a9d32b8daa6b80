"""Trace each attempt of a call.

Where opentelemetry-api is importable, each attempt is a CLIENT span of the application's own tracer, and its
context is written into the metadata by the configured propagator (W3C `traceparent`). Where it is not,
nothing happens. Tracing never fails a call.
"""

import asyncio
import inspect
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc

try:
    from opentelemetry import trace
    from opentelemetry.propagate import inject
except ImportError:  # pragma: no cover - seen only where the package is missing
    trace = inject = None  # type: ignore[assignment]

_Call = TypeVar("_Call")

PACKAGES = {"HealthStub": "grpc.health.v1"}
OUR_PACKAGE = "trunkline.v1"


def trace_metadata() -> list[tuple[str, str]]:
    carrier: dict[str, str] = {}
    if inject is not None:
        inject(carrier)
    return [(key.lower(), value) for key, value in carrier.items()]


class CallSpan:
    """The span of one try. It is the current one within the block in which the call is made; it ends with the
    block, or with the call that was given to `ends_with`.
    """

    def __init__(self, stub: type[Any], method: str) -> None:
        self._span: trace.Span | None = None
        self._block: AbstractContextManager[Any] | None = None
        self._call_ends_it = False
        if trace is not None:
            package = PACKAGES.get(stub.__name__, OUR_PACKAGE)
            name = f"{package}.{stub.__name__.removesuffix('Stub')}/{method}"
            attributes = {"rpc.system.name": "grpc", "rpc.method": name}
            self._span = trace.get_tracer("trunkline.client").start_span(
                name, kind=trace.SpanKind.CLIENT, attributes=attributes
            )

    def __enter__(self) -> Self:
        if self._span is not None:
            self._block = trace.use_span(self._span, record_exception=False, set_status_on_exception=False)
            self._block.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._block is not None:
            self._block.__exit__(None, None, None)
        if error is not None:
            self._end(_code_of(error))
        elif not self._call_ends_it:
            self._end(grpc.StatusCode.OK)

    def ends_with(self, call: _Call) -> _Call:
        if self._span is not None:
            self._call_ends_it = True
            call.add_done_callback(lambda done: self._end(_code_of(done)))  # type: ignore[attr-defined]
        return call

    def _end(self, code: grpc.StatusCode) -> None:
        if self._span is None:
            return
        self._span.set_attribute("rpc.response.status_code", code.name)
        if code is not grpc.StatusCode.OK:
            self._span.set_attribute("error.type", code.name)
            self._span.set_status(trace.Status(trace.StatusCode.ERROR))
        self._span.end()


def _code_of(ended: Any) -> grpc.StatusCode:
    """The status of a call that is over, or of what it raised."""
    if not hasattr(ended, "code"):
        cancelled = isinstance(ended, asyncio.CancelledError | KeyboardInterrupt)
        return grpc.StatusCode.CANCELLED if cancelled else grpc.StatusCode.UNKNOWN
    code = ended.code()
    if inspect.iscoroutine(code):  # a call of grpc.aio: there is nothing left to wait for
        try:
            code.send(None)
        except StopIteration as returned:
            code = returned.value
    return code if isinstance(code, grpc.StatusCode) else grpc.StatusCode.UNKNOWN
