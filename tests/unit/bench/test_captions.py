import json
import math
from pathlib import Path
from typing import Any

from bench.captions import (
    Result,
    by_size,
    cpu_caption,
    histories_caption,
    idle_caption,
    points,
    ttft_caption,
)

RESULTS = Path(__file__).parents[3] / "bench/results"
LOADS: dict[str, Any] = {
    "1 x 50/s": {"service": [{"ttft_p99_ms": 3.0}]},
    "50 x 50/s": {
        "service": [{"cpu_us": 100.0, "ttft_p99_ms": 9.0}, {"cpu_us": 300.0, "ttft_p99_ms": 7.0}],
        "LiteLLM": [{"cpu_us": 500.0, "ttft_p99_ms": -1}],
    },
}
RESULT: Result = {
    "loads": LOADS,
    "idle": [{"tls": False, "each_kib": 16.7}, {"tls": True, "each_kib": 60.96}],
}
NOTHING: Result = {"loads": {}, "idle": []}


def test_points_are_medians_and_gaps_stay_gaps():
    first, at_50, *rest = points(RESULT, "service", "cpu_us")
    assert at_50 == 200.0
    assert all(map(math.isnan, (first, *rest, *points(RESULT, "LiteLLM", "ttft_p99_ms"))))


def test_captions_say_what_was_measured():
    assert cpu_caption(RESULT) == "At 50 streams a delta costs LiteLLM 2.5 times the CPU of the service"
    assert ttft_caption(RESULT) == "Up to 50 streams, 99 of 100 first deltas come within 8 ms"
    assert idle_caption(RESULT) == "An idle session takes 17 KiB, over TLS 61 KiB"
    assert idle_caption({"idle": RESULT["idle"][:1]}) == "An idle session takes 17 KiB"


def test_what_was_not_measured_is_not_said():
    assert cpu_caption(NOTHING) == "What a delta costs in CPU"
    assert ttft_caption(NOTHING) == "How long the first delta takes"
    assert idle_caption(NOTHING) == "What idle sessions take in memory"


def test_the_recorded_result_has_what_the_captions_need():
    result = json.loads((RESULTS / "bench.json").read_text())
    for caption in (cpu_caption, ttft_caption, idle_caption):
        assert any(sign.isdigit() for sign in caption(result))


def test_a_turn_in_full_is_no_warm_turn():
    warm = {"messages": 10, "bytes": 2_000_000, "incremental": True, "cpu_ms": 3.6}
    longer = warm | {"messages": 100, "cpu_ms": 11.2}
    rows = [warm, longer, warm | {"bytes": 9_000_000, "incremental": False}]
    assert by_size(rows) == {2_000_000: [(10, 3.6), (100, 11.2)]}
    assert histories_caption(rows) == "A warm turn takes 4 to 11 ms of CPU after 2 MB"
    assert histories_caption(rows[2:]) == "What a warm turn costs by its history"


def test_the_recorded_histories_have_what_the_caption_needs():
    rows = json.loads((RESULTS / "histories.json").read_text())
    assert " 10 MB" in histories_caption(rows)
