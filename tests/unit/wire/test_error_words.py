import time

import pytest

from service.wire.error_payload import ErrorPayload
from service.wire.error_words import incurable, of_an_address, refuses_reasoning, says_chain_lost


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (ErrorPayload(message="Previous response with id 'resp_1' not found."), True),
        (ErrorPayload(message="Invalid `previous_response_id`: gone"), True),
        (ErrorPayload(message="Previous response not found", code="invalid_value"), False),
        (ErrorPayload(message="Previous response not found", param="model"), False),
        (ErrorPayload(message="Invalid value: 'previous response not found'"), False),
    ],
)
def test_a_lost_chain_in_words(error, lost):
    assert says_chain_lost(error) is lost


@pytest.mark.parametrize(
    ("message", "param", "refused"),
    [
        ("Item 'rs_1' of type 'reasoning' was provided without its required following item.", "", True),
        ("Item rs_1 was provided without its required following item: 'msg_1'.", "input[3]", True),
        ("Item with id 'rs_1' not found.", "", True),
        ("Item with id 'msg_1' not found.", "", False),
        ("Unknown input item type 'reasoning'", "", True),
        ("Invalid value: 'reasoning'.", "input[1].type", True),
        ("Invalid value: 'reasoning'.", "", False),
        ("Item with id 'rs_1' not found.", "tools", False),
        ("Invalid value: 'Item with id 'rs_1' not found'.", "", False),
    ],
)
def test_refused_reasoning_in_words(message, param, refused):
    assert refuses_reasoning(ErrorPayload(message=message, param=param)) is refused


@pytest.mark.parametrize(("status", "refused"), [(0, True), (400, True), (404, True), (500, False)])
def test_only_a_4xx_refuses(status, refused):
    assert refuses_reasoning(ErrorPayload(message="Item with id rs_1 not found", status=status)) is refused


def test_an_address_is_unknown_where_nothing_of_the_api_is_named():
    assert of_an_address(ErrorPayload(message="404 page not found"))
    assert of_an_address(ErrorPayload(message="Invalid URL (POST /x)", type="invalid_request_error"))
    assert not of_an_address(ErrorPayload(message="The model x does not exist"))


@pytest.mark.parametrize(
    ("message", "hopeless"),
    [
        ("Limit 100, Requested 300", True),
        ("limit: 1.5k requested: 1,600", True),
        ("Limit 300, Requested 300", False),
        ("Limit 300", False),
        ("Request too large", True),
        ("`Request too large`", False),
        ("limit 1_, requested 2,", True),
    ],
)
def test_a_limit_below_the_request_is_hopeless(message, hopeless):
    assert incurable(ErrorPayload(message=message)) is hopeless


@pytest.mark.parametrize(
    "piece", ["item with id ", "item 'rs_", "unknown ", "encrypted content ", "limit 1,"]
)
def test_words_made_to_be_searched_long_are_not(piece):
    error = ErrorPayload(message=(piece * 4096)[:4096])
    began = time.process_time()
    refuses_reasoning(error)
    says_chain_lost(error)
    incurable(error)
    assert time.process_time() - began < 0.2
