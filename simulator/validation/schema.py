"""Composable checks of JSON values (string, enum, array, object, tagged union) with the upstream's messages.

Example: `array(string(filled=True), longest=2)([""], "names")` raises "Invalid 'names[0]': empty
string. …".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from simulator import errors

Check = Callable[[Any, str], None]
"""Checks a value at a path such as `input[0].role`. Raises ApiError."""


def anything(value: Any, path: str) -> None:
    """Accept any value, for fields that a conversation does not depend on."""


def boolean(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        raise errors.wrong_type(path, "a boolean", value)


def nullable(check: Check) -> Check:
    return lambda value, path: None if value is None else check(value, path)


def string(*, filled: bool = False, longest: int | None = None, pattern: str | None = None) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, str):
            raise errors.wrong_type(path, "a string", value)
        if filled and not value:
            raise errors.empty(path, "string")
        if longest is not None and len(value) > longest:
            raise errors.too_long(path, "string", longest, len(value))
        if pattern is not None and not re.fullmatch(pattern, value):
            raise errors.no_match(path, pattern)

    return check


def integer(minimum: int, maximum: int | None = None) -> Check:
    def check(value: Any, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            raise errors.wrong_type(path, "an integer", value)
        _in_range(value, path, "integer", minimum, maximum)

    return check


def decimal(minimum: float, maximum: float) -> Check:
    def check(value: Any, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise errors.wrong_type(path, "a decimal", value)
        _in_range(value, path, "decimal", minimum, maximum)

    return check


def enum(*values: str) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, str):
            raise errors.wrong_type(path, f"one of {errors.listed(values, 'or')}", value)
        if value not in values:
            raise errors.wrong_value(path, value, values)

    return check


def array(item: Check, *, longest: int | None = None, filled: bool = False) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, list):
            raise errors.wrong_type(path, "an array", value)
        if filled and not value:
            raise errors.empty(path, "array")
        if longest is not None and len(value) > longest:
            raise errors.too_long(path, "array", longest, len(value))
        for index, element in enumerate(value):
            item(element, f"{path}[{index}]")

    return check


def mapping(value_check: Check, *, most: int | None = None, longest_key: int | None = None) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise errors.wrong_type(path, "an object", value)
        if most is not None and len(value) > most:
            message = (
                f"Invalid '{path}': too many properties. Expected an object with at most {most} properties, "
                f"but got an object with {len(value)} properties instead."
            )
            raise errors.ApiError(message, code="object_above_max_properties", param=path)
        for key, element in value.items():
            if longest_key is not None and len(key) > longest_key:
                raise errors.too_long(_inside(path, key), "string", longest_key, len(key))
            value_check(element, _inside(path, key))

    return check


def record(fields: Mapping[str, Check], *, required: Sequence[str] = (), closed: bool = True) -> Check:
    """An object of named fields. A missing field is reported before an unknown one, as the upstream does."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise errors.wrong_type(path or "body", "an object", value)
        for name in required:
            if name not in value:
                raise errors.missing(_inside(path, name))
        for name, element in value.items():
            if name in fields:
                fields[name](element, _inside(path, name))
            elif closed:
                raise errors.unknown(_inside(path, name))

    return check


def tagged(shapes: Mapping[str, Check], *, tag: str = "type", default: str | None = None) -> Check:
    """A union of records, selected by the value of one field."""

    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise errors.wrong_type(path, "an object", value)
        kind = value.get(tag, default)
        if kind is None:
            raise errors.missing(_inside(path, tag))
        if not isinstance(kind, str) or kind not in shapes:
            raise errors.wrong_value(_inside(path, tag), kind, tuple(shapes))
        shapes[kind](value, path)

    return check


def either(text: Check, other: Check, *, expected: str) -> Check:
    """A string, or something of another JSON type."""

    def check(value: Any, path: str) -> None:
        if isinstance(value, str):
            return text(value, path)
        if not isinstance(value, dict | list):
            raise errors.wrong_type(path, expected, value)
        return other(value, path)

    return check


def _inside(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _in_range(value: float, path: str, kind: str, minimum: float, maximum: float | None) -> None:
    if value < minimum:
        raise errors.below_minimum(path, kind, minimum, value)
    if maximum is not None and value > maximum:
        raise errors.above_maximum(path, kind, maximum, value)
