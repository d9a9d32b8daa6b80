import asyncio

import pytest
from opentelemetry.trace import StatusCode

from service.domain.errors import Reason, TurnError
from service.telemetry import lines, names
from tests.watching import watching


def dial(error: BaseException | None) -> None:
    with lines.dialing():
        if error is not None:
            raise error


@pytest.mark.parametrize(
    ("error", "result"),
    [(TurnError(Reason.CONNECT_FAILED, "s3cret"), "CONNECT_FAILED"), (asyncio.CancelledError(), "CANCELLED")],
)
def test_a_dial_that_failed_is_a_span_with_its_reason(error, result):
    with watching() as seen:
        with pytest.raises(type(error)):
            dial(error)
        span = seen.one(names.SPAN_DIAL)
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})[names.ERROR_TYPE] == result
    assert "s3cret" not in span.to_json()


def test_a_dial_is_a_span_with_the_upstreams_address():
    with watching(upstream=("host", 443)) as seen:
        dial(None)
        attributes = seen.one(names.SPAN_DIAL).attributes or {}
    assert (attributes[names.SERVER_ADDRESS], attributes[names.SERVER_PORT]) == ("host", 443)
