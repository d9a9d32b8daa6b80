import re
from pathlib import Path

import grpc
import pytest

import trunkline
from tests.unit.client.failing import error_info, rpc_error
from trunkline import ConnectionFailedError, RateLimitError, TimedOutError, TrunklineError
from trunkline.errors import BARE, BROKEN, CLASSES
from trunkline.failures import error_from

Code = grpc.StatusCode
ERRORS = (Path(__file__).parents[3] / "docs/errors.md").read_text()


def test_each_reason_that_the_service_reports_has_a_class():
    table = ERRORS.partition("## What a caller gets")[2].partition("\n## ")[0]
    assert set(CLASSES) == set(re.findall(r"^\| ([A-Z_]+) \|", table, re.MULTILINE))


@pytest.mark.parametrize("kind", sorted({*CLASSES.values(), *BARE.values()}, key=str))
def test_each_class_is_public(kind):
    assert getattr(trunkline, kind.__name__) is kind
    assert kind.__name__ in trunkline.__all__
    assert issubclass(kind, TrunklineError)


def test_a_reported_failure_is_of_the_class_of_its_reason():
    error = error_from(rpc_error(Code.RESOURCE_EXHAUSTED, "slow down", error_info("RATE_LIMITED")))
    assert type(error) is RateLimitError


def test_a_reason_of_a_newer_service_has_no_class():
    assert type(error_from(rpc_error(Code.INTERNAL, "", error_info("NEW")))) is TrunklineError


@pytest.mark.parametrize("status", [status for status in BROKEN if status is not Code.CANCELLED])
def test_a_connection_that_breaks_is_a_failed_connection(status):
    assert type(error_from(rpc_error(status))) is ConnectionFailedError


def test_the_reason_of_a_stranger_decides_nothing():
    status = rpc_error(Code.DEADLINE_EXCEEDED, "", error_info("RATE_LIMITED", domain="envoy.io"))
    assert type(error_from(status)) is TimedOutError
