import pytest

from service.domain.tenant import Caller, Credential
from service.gen.trunkline.v1 import completion_pb2 as pb
from service.rpc.convert.turn_digest import digest_of
from tests.stack import request


def digest(wanted=None, caller=None, **fields):
    return digest_of(wanted or request("Hello.", **fields), caller or Caller())


@pytest.mark.parametrize(
    "fields",
    [
        {"turn_key": "k", "after_sequence": 5},
        {"request_id": "r"},
        {"continuation": "t"},
        {"options": {}},
        {"options": {"linger": {"seconds": 1}, "heartbeat": {"seconds": 1}}},
    ],
)
def test_how_a_call_is_served_is_no_content(fields):
    assert digest(**fields) == digest()


@pytest.mark.parametrize(
    "fields",
    [{"session": "s2"}, {"model": "m"}, {"instructions": "i"}, {"options": {"temperature": 0.0}}],
)
def test_all_else_is(fields):
    assert digest(**fields) != digest()


def test_the_order_of_a_map_does_not_count():
    one, two = {"a": "1", "b": "2"}, {"b": "2", "a": "1"}
    assert digest(options={"metadata": one}) == digest(options={"metadata": two})


def test_both_kinds_of_request_are_the_same():
    unary = pb.CompleteRequest.FromString(request("Hello.").SerializeToString())
    assert digest(unary) == digest()


def test_a_key_of_the_upstream_counts():
    assert digest(caller=Caller(key=Credential("k"))) != digest()
