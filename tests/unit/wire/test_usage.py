import json
from dataclasses import replace

import msgspec
import pytest

from service.domain.events import Usage
from service.wire.tally import Tally
from service.wire.usage import MAX_USAGE_BYTES, read_usage


def raw(value):
    return msgspec.Raw(json.dumps(value).encode())


def counts(reported):
    usage = read_usage(raw(reported), Tally())
    return usage and replace(usage, details_json="")


def test_original_fault_cached_tokens_always_0():
    reported = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 120,
    }
    assert counts(reported) == Usage(100, 60, 30, 20, 5, 120)


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4}, Usage(3, 0, 0, 4, 0, 7)),
        (
            {
                "prompt_tokens": 3,
                "completion_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 1},
            },
            Usage(3, 2, 0, 4, 1, 7),
        ),
        ({"input_tokens": 3, "output_tokens": 4, "total_tokens": 0}, Usage(3, 0, 0, 4, 0, 7)),
        (
            {
                "input_tokens": 3,
                "input_tokens_details": None,
                "output_tokens": None,
                "output_tokens_details": None,
            },
            Usage(3, 0, 0, 0, 0, 3),
        ),
        ({"input_tokens": 3, "input_tokens_details": {"cached_tokens": None}}, Usage(3, 0, 0, 0, 0, 3)),
        ({}, Usage()),
        (None, None),
        ("many", None),
        ({"input_tokens": -1, "output_tokens": 4}, Usage(0, 0, 0, 4, 0, 4)),
        ({"input_tokens": 2**60, "output_tokens": 4}, Usage(0, 0, 0, 4, 0, 4)),
        ({"input_tokens": 1.5, "prompt_tokens": 3, "total_tokens": "x"}, Usage(3, 0, 0, 0, 0, 3)),
        ({"input_tokens": 3, "input_tokens_details": 5}, Usage(3, 0, 0, 0, 0, 3)),
        (
            {"input_tokens": 3, "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": -1}},
            Usage(3, 2, 0, 0, 0, 3),
        ),
        ({"input_tokens": 3, "x": "x" * MAX_USAGE_BYTES}, None),
        ({"input_tokens": "3", "output_tokens": 4.0}, Usage(3, 0, 0, 4, 0, 7)),
        (
            {"input_tokens": 50, "output_tokens": -9, "output_tokens_details": {"reasoning_tokens": 1.5}},
            Usage(50, 0, 0, 0, 0, 50),
        ),
    ],
)
def test_usage_by_any_name(reported, usage):
    assert counts(reported) == usage


def test_what_is_skipped_is_counted_by_field():
    ignored = Tally()
    read_usage(raw({"input_tokens": -9, "output_tokens_details": {"reasoning_tokens": 1.5}}), ignored)
    read_usage(raw({"input_tokens_details": 5}), ignored)
    read_usage(raw("many"), ignored)
    assert ignored == {
        "field:usage.input_tokens": 1,
        "field:usage.reasoning_tokens": 1,
        "field:usage.input_tokens_details": 1,
        "field:usage": 1,
    }


def test_a_number_over_all_bounds_is_dropped():
    odd = msgspec.Raw(b'{"input_tokens":1e400,"output_tokens":4}')
    usage = read_usage(odd, Tally())
    assert usage is not None
    assert usage.output_tokens == usage.total_tokens == 4


def test_missing_usage_is_none():
    assert read_usage(msgspec.Raw(), Tally()) is None


def test_the_object_is_kept_as_it_is():
    cost = b'{"input_tokens": 3, "cost": {"usd": 0.10}}'
    usage = read_usage(msgspec.Raw(cost), Tally())
    assert usage is not None
    assert usage.details_json == cost.decode()
