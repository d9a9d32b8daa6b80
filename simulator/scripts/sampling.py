"""Make up values that fit a JSON Schema, for tool arguments and structured answers."""

from typing import Any

from simulator.errors import Json

_PLAIN: dict[str, Any] = {"integer": 1, "number": 1.5, "boolean": True, "null": None}


def sample(schema: Json, number: int = 1, name: str = "value") -> Any:
    """Return a value of this schema. Strings and integers contain the number, so that two samples differ."""
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for union in ("anyOf", "oneOf", "allOf"):
        if schema.get(union):
            return sample(schema[union][0], number, name)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    match kind:
        case "object":
            return _object(schema, number)
        case "array":
            return [sample(schema.get("items") or {}, number, name)]
        case "integer":
            return max(number, schema.get("minimum", number))
    return _PLAIN.get(str(kind), f"{name} {number}")


def _object(schema: Json, number: int) -> Json:
    properties = schema.get("properties") or {}
    wanted = schema.get("required") or list(properties)
    return {name: sample(properties.get(name, {}), number, name) for name in wanted}
