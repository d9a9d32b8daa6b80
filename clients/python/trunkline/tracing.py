"""The caller's trace goes with the call.

Owns the one soft dependency: where opentelemetry-api is importable, its current context is written into the
metadata (W3C `traceparent`, as its propagator is set up). Must never fail a call, and never start a span.
"""

try:
    from opentelemetry.propagate import inject
except ImportError:  # pragma: no cover - seen only where the package is missing
    inject = None  # type: ignore[assignment]


def trace_metadata() -> list[tuple[str, str]]:
    carrier: dict[str, str] = {}
    if inject is not None:
        inject(carrier)
    return [(key.lower(), value) for key, value in carrier.items()]
