import pytest

from simulator import errors


@pytest.mark.parametrize(
    ("values", "text"),
    [(["a"], "'a'"), (["a", "b"], "'a' and 'b'"), (["a", "b", "c"], "'a', 'b', and 'c'")],
)
def test_enumerations(values, text):
    assert errors.listed(values) == text


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (True, "a boolean"),
        (1, "an integer"),
        (1.5, "a decimal"),
        ("", "a string"),
        ([], "an array"),
        ({}, "an object"),
    ],
)
def test_a_wrong_type_names_the_type_received(value, kind):
    error = errors.wrong_type("model", "a string", value)
    assert error.message == f"Invalid type for 'model': expected a string, but got {kind} instead."
    assert error.body() == {
        "message": error.message,
        "type": "invalid_request_error",
        "param": "model",
        "code": "invalid_type",
    }


def test_range_errors_name_the_bound():
    assert errors.below_minimum("n", "integer", 16, 3).code == "integer_below_min_value"
    assert errors.above_maximum("n", "decimal", 2, 3).message == (
        "Invalid 'n': decimal above maximum value. Expected a value <= 2, but got 3 instead."
    )


def test_a_wrong_key_is_not_repeated():
    error = errors.wrong_key("sk-secret")
    assert "secret" not in error.message
    assert error.status == 401
