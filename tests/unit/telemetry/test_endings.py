import logging

import pytest

from service.domain.events import Usage
from service.domain.messages import CompletionRequest, Message, Role, TextPart, Transport
from service.domain.plan import ContextReason
from service.domain.report import Timings, TransportReason, TurnReport
from service.telemetry import names
from service.telemetry.endings import count_tokens, log, measure
from tests.watching import watching

REQUEST = CompletionRequest("s", "gpt-1", (Message(Role.USER, (TextPart("s3cret"),)),))
REPORT = TurnReport(
    "t1",
    Transport.WEBSOCKET,
    TransportReason.PREFERRED,
    context_reason=ContextReason.CONTINUED,
    incremental=True,
    attempts=1,
    timings=Timings(first_content=0.25, total=1.0),
    bytes_sent=10,
    bytes_saved=90,
)


def test_a_turn_is_counted_by_ending_and_transport():
    with watching() as seen:
        measure("one", REQUEST, REPORT, "OK")
        measure("one", REQUEST, None, "OVERLOADED")
        turns = {tuple(dict(labels).values()): count for labels, count in seen.points(names.TURNS).items()}
    assert turns == {("OK", "websocket"): 1, ("OVERLOADED", "none"): 1}


@pytest.mark.parametrize(
    ("ending", "who"), [("CANCELLED", "caller"), ("DEADLINE_EXCEEDED", "deadline"), ("INTERRUPTED", "drain")]
)
def test_a_turn_cut_off_is_counted_by_who_did_it(ending, who):
    with watching() as seen:
        measure("one", REQUEST, REPORT, ending)
        assert seen.count(names.CANCELLED, **{names.LABEL_WHO: who}) == 1


def test_the_tokens_of_a_known_tenant_are_counted_by_type():
    with watching() as seen:
        count_tokens("one", "gpt-1", Usage(input_tokens=5, cached_input_tokens=4, output_tokens=3))
        counted = {
            kind: seen.count(names.TOKENS, **{names.LABEL_TYPE: kind, names.LABEL_TENANT: "one"})
            for kind in ("input", "cached_input", "output", "reasoning")
        }
    assert counted == {"input": 5, "cached_input": 4, "output": 3, "reasoning": 0}


def test_the_log_has_one_line_without_anything_said(caplog):
    caplog.set_level(logging.INFO, "service.turn")
    log("one", REQUEST, REPORT, "OK", None)
    (record,) = caplog.records
    fields = vars(record)
    assert (fields["ending"], fields["tenant"], fields["turn_id"]) == ("OK", "one", "t1")
    assert (fields["context"], fields["bytes_saved"], fields["first_content_s"]) == ("incremental", 90, 0.25)
    assert "s3cret" not in str(fields)
