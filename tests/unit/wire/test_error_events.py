"""Of large errors only the fields about the failure are decoded."""

import json

import pytest

from service.domain.errors import Reason, TurnError
from service.wire.error_events import VALUE_BYTES, WHOLE_CHARACTERS, read_error
from service.wire.error_payload import MAX_LAYERS, parse_error_payload

ECHO = {"instructions": "x" * WHOLE_CHARACTERS, "tools": [{"name": "f"}] * 5000}


def read(payload):
    return read_error(json.dumps(payload))


def test_a_small_one_is_read_whole():
    assert read({"type": "error", "more": [1]}) == {"type": "error", "more": [1]}
    with pytest.raises(TurnError, match="invalid"):
        read([])


def test_a_failed_response_that_echoes_its_request_says_why():
    error = {"code": "server_error", "message": "Sorry."}
    parsed = parse_error_payload(
        read({"type": "response.failed", "response": {"id": "resp_1", "error": error, **ECHO}})
    )
    assert (parsed.code, parsed.message, parsed.request_id) == ("server_error", "Sorry.", "resp_1")


@pytest.mark.parametrize("letter", ["a", "é", "\U0001f600", '"', "\\"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_of_a_long_text_the_beginning_is_read(letter, ascii_only):
    """Wherever the cut falls: in front of an escape, in the middle of one, or of a character."""
    for shift in range(13):
        text = "b" * shift + letter * WHOLE_CHARACTERS
        found = read_error(json.dumps({"error": {"message": text}}, ensure_ascii=ascii_only))["error"]
        assert isinstance(found, dict)
        assert text.startswith(found["message"])
        assert len(found["message"]) >= VALUE_BYTES // 12 - 1


def test_a_value_that_cannot_be_read_says_nothing():
    parsed = parse_error_payload(
        read_error(json.dumps({"code": "b", "status": 7, **ECHO}).replace("7", "1e400"))
    )
    assert (parsed.code, parsed.status) == ("b", 0)


def test_what_is_large_and_no_layer_is_not_read():
    many: list[list[object]] = [[]] * WHOLE_CHARACTERS
    assert read({"code": many, "headers": {"a": many}, "error": many, "status": 500}) == {
        "code": None,
        "headers": None,
        "error": None,
        "status": 500,
    }


def test_layers_without_end():
    payload: dict[str, object] = {"error": {"code": "innermost", **ECHO}}
    for _ in range(MAX_LAYERS):
        payload = {"error": payload}
    assert parse_error_payload(read(payload)).code == ""


@pytest.mark.parametrize("shape", ["[" + "[]," * 40_000 + "[]]", '{"a":' * 40_000, "x" * 100_000])
def test_an_invalid_error_frame_is_a_protocol_error(shape):
    with pytest.raises(TurnError) as caught:
        read_error(shape)
    assert caught.value.reason is Reason.PROTOCOL_ERROR
