"""The upstream's error messages, with their types, codes and HTTP statuses.

The wording is the real upstream's, so that a client can be tested against what it will meet. How an
error is sent (a frame, an HTTP body) is decided in `simulator.wires`.
"""

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]


class ApiError(Exception):
    """A request that the upstream refuses. Expected; the caller's fault unless the status is 500 or above."""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        status: int = 400,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param
        self.status = status
        self.kind = kind

    def body(self) -> Json:
        return {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}


def listed(values: Sequence[str], last: str = "and") -> str:
    """Enumerate as the upstream does: `'a', 'b', and 'c'`."""
    quoted = [f"'{value}'" for value in values]
    if len(quoted) < 3:
        return f" {last} ".join(quoted)
    return f"{', '.join(quoted[:-1])}, {last} {quoted[-1]}"


def missing(param: str) -> ApiError:
    return ApiError(f"Missing required parameter: '{param}'.", code="missing_required_parameter", param=param)


def unknown(param: str) -> ApiError:
    return ApiError(f"Unknown parameter: '{param}'.", code="unknown_parameter", param=param)


def unsupported(param: str) -> ApiError:
    return ApiError(f"Unsupported parameter: '{param}'.", code="unsupported_parameter", param=param)


def wrong_type(param: str, expected: str, value: object) -> ApiError:
    message = f"Invalid type for '{param}': expected {expected}, but got {_described(value)} instead."
    return ApiError(message, code="invalid_type", param=param)


def wrong_value(param: str, value: object, supported: Sequence[str]) -> ApiError:
    message = f"Invalid value: '{value}'. Supported values are: {listed(supported)}."
    return ApiError(message, code="invalid_value", param=param)


def below_minimum(param: str, kind: str, minimum: float, value: float) -> ApiError:
    return _out_of_range(param, kind, "below", f">= {minimum}", value)


def above_maximum(param: str, kind: str, maximum: float, value: float) -> ApiError:
    return _out_of_range(param, kind, "above", f"<= {maximum}", value)


def too_long(param: str, kind: str, maximum: int, length: int) -> ApiError:
    noun = f"{_article(kind)} {kind}"
    message = (
        f"Invalid '{param}': {kind} too long. Expected {noun} with maximum length {maximum}, "
        f"but got {noun} with length {length} instead."
    )
    return ApiError(message, code=f"{kind}_above_max_length", param=param)


def no_match(param: str, pattern: str) -> ApiError:
    message = (
        f"Invalid '{param}': string does not match pattern. "
        f"Expected a string that matches the pattern '{pattern}'."
    )
    return ApiError(message, code="invalid_value", param=param)


def empty(param: str, kind: str) -> ApiError:
    message = (
        f"Invalid '{param}': empty {kind}. Expected {_article(kind)} {kind} with minimum length 1, "
        f"but got an empty {kind} instead."
    )
    return ApiError(message, code=f"empty_{kind}", param=param)


def mutually_exclusive(first: str, second: str) -> ApiError:
    message = (
        f"Mutually exclusive parameters: '{first}' and '{second}'. "
        f"Ensure you are only providing one of: '{first}' or '{second}'."
    )
    return ApiError(message, code="mutually_exclusive_parameters", param=first)


def response_not_found(response_id: str) -> ApiError:
    return ApiError(
        f"Previous response with id '{response_id}' not found.",
        code="previous_response_not_found",
        param="previous_response_id",
    )


def item_not_persisted(item_id: str) -> ApiError:
    message = (
        f"Item with id '{item_id}' not found. Items are not persisted when `store` is set to false. "
        "Try again with `store` set to true, or remove this item from your input."
    )
    return ApiError(message, param="input", status=404)


def item_not_found(item_id: str) -> ApiError:
    return ApiError(f"Item with id '{item_id}' not found.", param="input", status=404)


def orphan_output(call_id: str, noun: str = "function call") -> ApiError:
    return ApiError(f"No tool call found for {noun} output with call_id {call_id}.", param="input")


def unanswered_call(call_id: str, noun: str = "function call") -> ApiError:
    return ApiError(f"No tool output found for {noun} {call_id}.", param="input")


def no_approval_request(request_id: str) -> ApiError:
    return ApiError(f"No approval request found for approval response with id {request_id}.", param="input")


def no_approval(request_id: str) -> ApiError:
    message = f"The following MCP approval requests do not have an approval: {request_id}"
    return ApiError(message, param="input")


def nothing_follows(item_id: str) -> ApiError:
    message = f"Item '{item_id}' of type 'reasoning' was provided without its required following item."
    return ApiError(message, param="input")


def without_reasoning(item_id: str, kind: str, thought: str) -> ApiError:
    message = (
        f"Item '{item_id}' of type '{kind}' was provided without its required 'reasoning' item: '{thought}'."
    )
    return ApiError(message, param="input")


def no_key() -> ApiError:
    message = (
        "You didn't provide an API key. You need to provide your API key in an Authorization header "
        "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
    )
    return ApiError(message, status=401)


def wrong_key(key: str) -> ApiError:
    message = f"Incorrect API key provided: {key[:3]}***."
    return ApiError(message, code="invalid_api_key", status=401)


def not_json() -> ApiError:
    return ApiError("We could not parse the JSON body of your request. The API expects a JSON object.")


def connection_limit(minutes: float) -> ApiError:
    message = (
        f"Responses websocket connection limit reached ({minutes:g} minutes). "
        "Create a new websocket connection to continue."
    )
    return ApiError(message, code="websocket_connection_limit_reached")


def _out_of_range(param: str, kind: str, side: str, bound: str, value: float) -> ApiError:
    limit = "minimum" if side == "below" else "maximum"
    message = (
        f"Invalid '{param}': {kind} {side} {limit} value. Expected a value {bound}, but got {value} instead."
    )
    return ApiError(message, code=f"{kind}_{side}_{limit[:3]}_value", param=param)


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"


def _described(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a decimal"
        case str():
            return "a string"
        case list():
            return "an array"
    return "an object"
