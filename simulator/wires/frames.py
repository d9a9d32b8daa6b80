"""The shapes of an error event, as servers and proxies have been seen to send them.

The script chooses a shape; `natural` is the transport's own.
"""

from collections.abc import Callable

from simulator.errors import ApiError, Json
from simulator.scripts.steps import Fail

_Maker = Callable[[Fail, int], Json]


def refusal(error: ApiError) -> Fail:
    """Convert a refusal into the failure that the client sees."""
    return Fail(error.message, error.code, error.status, error.kind, error.param)


def details(fail: Fail) -> Json:
    return {"message": fail.message, "type": fail.type, "param": fail.param, "code": fail.code}


def error_event(fail: Fail, natural: str, sequence_number: int) -> Json:
    shape = natural if fail.shape == "natural" else fail.shape
    return {"type": "error", **_SHAPES[shape](fail, sequence_number)}


def _nested(fail: Fail, sequence_number: int) -> Json:
    error = details(fail) | ({"headers": dict(fail.headers)} if fail.headers else {})
    return {"status": fail.status, "error": error}


def _flat(fail: Fail, sequence_number: int) -> Json:
    fields = {"code": fail.code, "message": fail.message, "param": fail.param}
    return {**fields, "sequence_number": sequence_number}


_SHAPES: dict[str, _Maker] = {
    "nested": _nested,
    "flat": _flat,
    "status_code": lambda fail, _: {"status_code": fail.status, "error": details(fail)},
    "top_headers": lambda fail, _: {
        "status": fail.status,
        "headers": dict(fail.headers),
        "error": details(fail),
    },
    "body": lambda fail, _: {"status": fail.status, "body": {"error": details(fail)}},
    "message_only": lambda fail, _: {"message": fail.message},
    "no_code": lambda fail, _: {"error": {"message": fail.message, "type": fail.type}},
}
