"""Make up values that fit a JSON Schema, for tool arguments and structured answers."""

from collections.abc import Mapping
from typing import Any

from simulator.errors import Json

_PLAIN: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "null": None}
_DEFINITION = "#/$defs/"


def sample(schema: Json, number: int = 1, name: str = "value") -> Any:
    """Return a value of this schema. Strings and integers contain the number, so that two samples differ.

    A type within itself is sampled once: below that, a list of it is empty, and a choice is another one.
    """
    return _Sampler(schema.get("$defs") or {}, number).of(schema, name, frozenset())


class _Sampler:
    """The definitions that references lead to; `within`: those whose value is being made."""

    def __init__(self, definitions: Mapping[str, Json], number: int) -> None:
        self._definitions = definitions
        self._number = number

    def of(self, schema: Json, name: str, within: frozenset[str]) -> Any:
        reference = _reference(schema)
        if reference in within:
            return None  # a type that must contain itself has no value
        if reference:
            return self.of(self._definitions.get(reference, {}), name, within | {reference})
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][0]
        for union in ("anyOf", "oneOf", "allOf"):
            if schema.get(union):
                return self.of(_first_not_of(schema[union], within), name, within)
        kind = schema.get("type")
        match kind[0] if isinstance(kind, list) else kind:
            case "object":
                properties = schema.get("properties") or {}
                wanted = schema.get("required") or list(properties)
                return {key: self.of(properties.get(key, {}), key, within) for key in wanted}
            case "array":
                items = schema.get("items") or {}
                return [] if _reference(items) in within else [self.of(items, name, within)]
            case "integer":
                return max(self._number, schema.get("minimum", self._number))
            case plain:
                return _PLAIN.get(str(plain), f"{name} {self._number}")


def _reference(schema: Json) -> str:
    """The name of the definition that stands here; empty: the schema is its own."""
    return str(schema.get("$ref", "")).removeprefix(_DEFINITION)


def _first_not_of(choices: list[Json], within: frozenset[str]) -> Json:
    return next((one for one in choices if _reference(one) not in within), choices[0])
