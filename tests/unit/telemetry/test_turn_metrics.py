import logging
from dataclasses import replace

import pytest

from service.domain.errors import Reason, TurnError
from service.domain.events import Usage
from service.domain.report import Peer, TransportReason, UpstreamReason
from service.telemetry import names, turn_metrics
from tests.turn_records import LOST, Response, a_record, admit, answered, attempt, lease
from tests.watching import watching


def measure(seen, record, ending="OK"):
    record.end(None)
    report = record.report() if record.turn_id else None
    turn_metrics.measure(seen.telemetry, record, report, ending)


def test_a_turn_is_counted_by_ending_and_transport():
    with watching() as seen:
        measure(seen, answered())
        measure(seen, a_record(), "OVERLOADED")
        turns = {tuple(dict(labels).values()): count for labels, count in seen.points(names.TURNS).items()}
    assert turns == {("OK", "websocket"): 1, ("OVERLOADED", "none"): 1}


@pytest.mark.parametrize(
    ("ending", "who"), [("CANCELLED", "caller"), ("DEADLINE_EXCEEDED", "deadline"), ("INTERRUPTED", "drain")]
)
def test_a_turn_cut_off_is_counted_by_who_did_it(ending, who):
    with watching() as seen:
        measure(seen, attempt(lease(admit(a_record()))), ending)
        assert seen.count(names.CANCELLED, **{names.LABEL_WHO: who}) == 1


def test_tokens_are_counted_by_tenant_model_and_type():
    with watching() as seen:
        measure(seen, answered())
        counted = {
            kind: seen.count(names.TOKENS, type=kind, tenant="one", model="gpt-1")
            for kind in ("input", "cached_input", "output", "reasoning")
        }
        assert seen.count(names.TOKEN_USAGE, gen_ai__request__model="gpt-1") == 2
    assert counted == {"input": 5, "cached_input": 4, "output": 3, "reasoning": 1}


@pytest.mark.parametrize("ending", ["CANCELLED", "DEADLINE_EXCEEDED", "INTERRUPTED", "UPSTREAM_ERROR"])
def test_tokens_of_a_turn_without_an_answer_are_counted_where_they_were_reported(ending):
    with watching() as seen:
        measure(seen, attempt(lease(admit(a_record()))), ending)
        assert seen.count(names.TOKENS, type="input", tenant="one") == 5
        assert seen.points(names.UNREPORTED) == {}
        measure(seen, attempt(lease(admit(a_record())), Response(usage=None)), ending)
        assert seen.count(names.TOKENS, type="input", tenant="one") == 5
        assert seen.count(names.UNREPORTED, ending=ending) == 1


def test_a_request_that_was_not_sent_has_no_tokens_to_report():
    with watching() as seen:
        record = lease(admit(a_record()))
        record.planned(Response(dispatched=False, usage=None))
        measure(seen, record, "CANCELLED")
        assert seen.points(names.UNREPORTED) == {}


def warm_ups(seen):
    """The tokens that were counted, and under which operation."""
    return (
        seen.count(names.TOKENS, type="input", tenant="one", model="gpt-1"),
        seen.count(names.TOKEN_USAGE, gen_ai__operation__name="warm_up", gen_ai__request__model="gpt-1"),
    )


def test_tokens_of_a_warm_up_in_a_turn_are_counted_beside_the_turn_s():
    with watching() as seen:
        record = answered()
        record.warmed_up(Usage(100, total_tokens=100))
        measure(seen, record)
        assert warm_ups(seen) == (105, 2)
        assert seen.count(names.TOKEN_USAGE, gen_ai__operation__name="chat") == 2


def test_tokens_of_a_warm_up_by_itself_are_counted_and_nothing_else():
    with watching() as seen:
        record = a_record()
        record.warmed_up(Usage(100, total_tokens=100))
        with pytest.raises(RuntimeError), turn_metrics.counting_warm_up(seen.telemetry, record):
            raise RuntimeError
        assert warm_ups(seen) == (100, 2)
        assert seen.points(names.TURNS) == {}
        with turn_metrics.counting_warm_up(seen.telemetry, a_record()):
            pass
        assert warm_ups(seen) == (100, 2)


def test_a_line_of_a_turn_that_failed_has_the_tokens_that_were_reported(caplog):
    caplog.set_level(logging.INFO, "service.turn")
    record = attempt(lease(admit(a_record())))
    turn_metrics.log(record, record.report(), "UPSTREAM_ERROR")
    assert vars(caplog.records[-1])["input_tokens"] == 5
    record = attempt(lease(admit(a_record())), Response(usage=None))
    turn_metrics.log(record, record.report(), "CANCELLED")
    assert "input_tokens" not in vars(caplog.records[-1])


def test_a_model_that_never_answered_has_no_label():
    with watching() as seen:
        measure(seen, attempt(lease(admit(a_record()))), "TIMEOUT")
        assert seen.count(names.TOKENS, model="other", type="input") == 5
        assert (
            seen.count(names.OPERATION_DURATION, gen_ai__request__model="other", error__type="TIMEOUT") == 1
        )


def test_fallbacks_replays_and_waits_are_counted():
    record = attempt(admit(a_record()), content=False)
    record.failed(LOST)
    record.replayed(LOST)
    record.asked()
    record.failed(TurnError(Reason.OVERLOADED, "full"))
    record.fell_back(TransportReason.POOL_FULL)
    with watching() as seen:
        measure(seen, attempt(record))
        assert seen.count(names.REPLAYS, cause="CONNECTION_LOST") == 1
        assert seen.count(names.FALLBACKS, cause="pool_full") == 1
        assert seen.count(names.LINE_CHECKOUT) == seen.count(names.LINE_CHECKOUT, result="OVERLOADED") == 1
        assert seen.count(names.OPERATION_DURATION) == 2
        assert seen.count(names.OPERATION_DURATION, error__type="CONNECTION_LOST") == 1


def test_turns_and_attempts_of_several_upstreams_have_labels():
    a, b = Peer("a", "host", 1), Peer("b", "host", 2)
    record = admit(a_record())
    record.sent_to(a, UpstreamReason.PREFERRED)
    attempt(record, content=False)
    record.failed(LOST)
    record.moved(b, UpstreamReason.RATE_LIMITED)
    with watching() as seen:
        measure(seen, attempt(record))
        assert seen.count(names.FAILOVERS, cause="rate_limited", upstream="a") == 1
        assert seen.count(names.TURNS, upstream="b") == 1
        for upstream in "ab":
            assert seen.count(names.OPERATION_DURATION, upstream=upstream) == 1


@pytest.mark.parametrize(("dial", "result"), [(None, "reused"), (object(), "dialed")])
def test_a_wait_for_a_connection_is_measured(dial, result):
    with watching() as seen:
        measure(seen, answered(dial=dial))
        assert seen.count(names.LINE_CHECKOUT, result=result) == 1


def test_a_cancelled_wait_is_not_measured():
    record = admit(a_record())
    record.asked()
    with watching() as seen:
        measure(seen, record, "CANCELLED")
        assert seen.points(names.LINE_CHECKOUT) == {}
        assert seen.points(names.CONTINUATION) == {}


def test_payload_and_context_are_counted_once_for_a_turn_that_was_sent():
    with watching() as seen:
        measure(seen, answered())
        assert seen.count(names.CONTINUATION, result="full", reason="first_turn") == 1
        assert (seen.count(names.TURN_BYTES_SENT), seen.count(names.TURN_BYTES_SAVED)) == (10, 90)
        assert seen.count(names.SERVER_FIRST_TOKEN) == seen.count(names.OPERATION_FIRST_CHUNK) == 1


def test_only_known_kinds_of_ignored_events_are_labels():
    response = Response(ignored={"gap": 2, "response.invented": 3, "field:usage.output_tokens": 1})
    with watching() as seen:
        measure(seen, attempt(lease(admit(a_record())), response))
        assert {dict(labels)["kind"]: n for labels, n in seen.points(names.UNKNOWN_EVENTS).items()} == {
            "gap": 2,
            "unknown": 3,
            "field:usage.output_tokens": 1,
        }


def test_the_phases_are_logged_at_debug(caplog):
    caplog.set_level(logging.DEBUG, "service.turn")
    record = attempt(lease(admit(a_record())), content=False)
    record.failed(LOST)
    record.end(LOST)
    turn_metrics.log(record, record.report(), "CONNECTION_LOST")
    began, failed, _ = [vars(line) for line in caplog.records]
    assert (began["message"], began["response_id"]) == ("turn began upstream", "resp_1")
    assert (failed["message"], failed["reason"], failed["attempt"]) == (
        "attempt failed",
        "CONNECTION_LOST",
        1,
    )
    assert 0 < began["at_s"] < failed["at_s"]


def test_the_log_has_one_line_without_anything_said(caplog):
    caplog.set_level(logging.INFO, "service.turn")
    record = answered()
    record.end(None)
    report = replace(record.report(), incremental=True)
    turn_metrics.log(record, report, "OK")
    (line,) = caplog.records
    fields = vars(line)
    assert (fields["ending"], fields["tenant"], fields["turn_id"]) == ("OK", "one", "t1")
    assert (fields["context"], fields["bytes_saved"], fields["output_tokens"]) == ("incremental", 90, 3)
    assert (fields["session"], fields["request_id"]) == ("s", "r-1")
    assert fields["first_content_s"] == pytest.approx(0.7)
    assert "s3cret" not in str(fields)
    assert "ignored_events" not in fields


def test_the_log_names_what_was_ignored(caplog):
    caplog.set_level(logging.INFO, "service.turn")
    record = attempt(lease(admit(a_record())), Response(ignored={"response.invented": 3, "field:item": 1}))
    record.end(None)
    turn_metrics.log(record, record.report(), "OK")
    (line,) = caplog.records
    assert vars(line)["ignored_events"] == "field:item=1 response.invented=3"
