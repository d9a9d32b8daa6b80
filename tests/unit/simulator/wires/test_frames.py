from typing import Any

import pytest

from simulator.errors import missing
from simulator.scripts import Fail
from simulator.wires.frames import details, error_event, refusal

SHAPES: dict[str, dict[str, Any]] = {
    "nested": {
        "status": 429,
        "error": {"message": "No.", "type": "t", "param": "p", "code": "c", "headers": {"retry-after": "1"}},
    },
    "flat": {"code": "c", "message": "No.", "param": "p", "sequence_number": 0},
    "status_code": {
        "status_code": 429,
        "error": {"message": "No.", "type": "t", "param": "p", "code": "c"},
    },
    "top_headers": {
        "status": 429,
        "headers": {"retry-after": "1"},
        "error": {"message": "No.", "type": "t", "param": "p", "code": "c"},
    },
    "body": {
        "status": 429,
        "body": {"error": {"message": "No.", "type": "t", "param": "p", "code": "c"}},
    },
    "message_only": {"message": "No."},
    "no_code": {"error": {"message": "No.", "type": "t"}},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(shape):
    fail = Fail("No.", "c", 429, "t", "p", {"retry-after": "1"}, shape=shape)
    assert error_event(fail, "no such shape", 0) == {"type": "error", **SHAPES[shape]}


@pytest.mark.parametrize("natural", ["nested", "flat"])
def test_the_natural_shape_depends_on_the_transport(natural):
    fail = Fail("No.", "c", 429, "t", "p", {"retry-after": "1"})
    assert error_event(fail, natural, 0) == {"type": "error", **SHAPES[natural]}


def test_a_refusal_is_a_failure():
    assert details(refusal(missing("model"))) == {
        "message": "Missing required parameter: 'model'.",
        "type": "invalid_request_error",
        "param": "model",
        "code": "missing_required_parameter",
    }
