import pytest

from service.telemetry.caller_attributes import NOTHING, VALUE_BYTES, log_fields, of_metadata
from service.telemetry.propagation import Metadata

KEYS = ("x-team", "x-service")


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ((), {}),
        ((("x-other", "a"),), {}),
        ((("x-team", "search"), ("authorization", "s3cret")), {"trunkline.caller.x-team": "search"}),
        ((("x-team", ""),), {"trunkline.caller.x-team": ""}),
        (
            (("x-service", "b"), ("x-team", "a")),
            {"trunkline.caller.x-team": "a", "trunkline.caller.x-service": "b"},
        ),
        ((("x-team", "a"), ("x-team", "b")), {"trunkline.caller.x-team": "a,b"}),
        ((("x-team", "a\nlevel=error\x1b[31m\u00e9"),), {"trunkline.caller.x-team": "a?level=error?[31m?"}),
        ((("x-team", b"binary"),), {}),
    ],
)
def test_what_is_read(metadata, expected):
    assert of_metadata(KEYS, metadata) == expected


def test_a_value_has_a_bound():
    many: Metadata = [("x-team", "\u00e9" * 5_000)] * 3
    (value,) = of_metadata(KEYS, many).values()
    assert value == "?" * VALUE_BYTES


def test_without_keys_nothing_is_made():
    assert of_metadata((), (("x-team", "search"),)) is NOTHING
    assert log_fields(NOTHING) is NOTHING


def test_the_log_names_them_without_our_prefix():
    assert log_fields({"trunkline.caller.x-team": "search"}) == {"caller.x-team": "search"}
