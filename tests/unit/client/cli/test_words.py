from datetime import UTC, datetime

import grpc
import pytest

from trunkline import Done, Message, Report, RunningTurn, Timings, TrunklineError, Usage, Violation
from trunkline.cli.arguments import ADDRESS, TOKEN
from trunkline.cli.exits import FAILED, UNAVAILABLE, code_of
from trunkline.cli.words import error_lines, rate, report_line, size, span, turn_line


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_499, "999.5 kB"),
        (999_500, "1.0 MB"),
        (2_500_000_000, "2.5 GB"),
        (10**13, "10000.0 GB"),
    ],
)
def test_sizes(count, said):
    assert size(count) == said


def test_spans():
    assert [span(value) for value in (None, 0.0, 0.0126, 0.9999, 65.04)] == [
        "-",
        "0 ms",
        "13 ms",
        "1.0 s",
        "65.0 s",
    ]


def test_rates():
    # Never 100 % where one was not.
    assert [rate(0, 0), rate(0, 3), rate(999, 1000), rate(3, 3)] == ["-", "0 %", "99 %", "100 %"]


def done(**report):
    timings = Timings(first_content=0.12, total=1.5)
    ran = Report("r", "websocket", "preferred", "incremental", "continued", timings=timings, **report)
    return Done(Message(), "stop", Usage(input_tokens=80, output_tokens=20), "m", "p", None, ran)


def test_a_report():
    warm = done(attempts=1, connection_reused=True, bytes_sent=500, bytes_saved=41_000)
    assert report_line(warm) == (
        "websocket (preferred, warm) · incremental (continued) · 500 B sent, 41.0 kB saved"
        " · 120 ms to the first word, 1.5 s in all · 80 + 20 tokens"
    )
    again = report_line(done(attempts=2, bytes_sent=500))
    assert "(preferred, cold)" in again
    assert "saved" not in again
    assert again.endswith(" · 2 attempts")
    assert report_line(done(attached=True)).endswith(" · resumed")


def test_a_running_turn():
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    since = f"since {noon.astimezone():%H:%M:%S}"
    assert turn_line(RunningTurn("t1", "", noon, True, False, 3)) == f"t1 · {since} · read · event 3"
    kept = RunningTurn("t1", "k1", noon, False, True, 9)
    assert turn_line(kept) == f"t1 · {since} · ended, nobody reads it · event 9 · key k1"
    assert turn_line(RunningTurn("", "", None, False, False, 0)).startswith("waits for a place · nobody")


def lines(reason, message="What happened.", **facts):
    return list(error_lines(TrunklineError(reason, message, **facts), "there:1"))


def test_an_error_that_may_be_tried_again():
    printed = lines("RATE_LIMITED", retryable=True, retry_after=7.0, sent=True)
    assert printed == [
        "RATE_LIMITED: What happened.",
        "  Retryable after 7.0 s; it reached the model, so another try may cost again.",
    ]
    assert lines("OVERLOADED", retryable=True, sent=False)[1] == "  Retryable; it did not reach the model."
    assert lines("X", retryable=True)[1] == "  Retryable; whether it reached the model is not known."


def test_an_error_that_stays():
    wrong = (Violation("model", "is empty"), Violation("messages", "is empty"))
    assert lines("INVALID_REQUEST", "model: is empty; and more", violations=wrong) == [
        "INVALID_REQUEST: model: is empty; and more",
        "  messages: is empty",
        "  Not retryable: the same request would fail again.",
    ]


def test_nobody_there():
    printed = lines("UNAVAILABLE", "failed to connect", status=grpc.StatusCode.UNAVAILABLE)
    assert "there:1" in printed[1]
    assert ADDRESS in printed[2]


def test_nobody_said_who_they_are():
    assert TOKEN in lines("UNAUTHENTICATED")[1]


def test_exit_codes():
    assert code_of(TrunklineError("CONNECT_FAILED", "", status=grpc.StatusCode.UNAVAILABLE)) == UNAVAILABLE
    assert code_of(TrunklineError("TIMEOUT", "", status=grpc.StatusCode.DEADLINE_EXCEEDED)) == FAILED
