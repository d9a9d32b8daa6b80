"""Structured output: a type goes to the model as a JSON Schema, and its answer comes back as that type.

pydantic makes the schema and reads the answer. It is optional: `pip install trunkline[pydantic]`.

The upstream takes a part of JSON Schema only where `strict` is set: the root is an object, each object names
all of its properties, requires them all and takes no other, and nothing has a default. `strict_schema` makes
that of what pydantic writes: a property with a default is asked for like any other, and where the type is no
object (`list[City]`) it is wrapped into one of the single property `value`. What has no form under these
rules, an object of any keys (`dict[str, int]`), raises TypeError; `strict=False` sends it as it is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from trunkline.errors import OutputError, RefusalError
from trunkline.events import Done
from trunkline.gen.trunkline.v1.completion_pb2 import JsonSchemaFormat
from trunkline.messages import final_text_of
from trunkline.options import json_schema

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
Schema = dict[str, Any]

VALUE = "value"
"""The property that holds what is no object."""

_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Parsed(Done, Generic[T]):
    """The end of a turn whose answer fits a type: `parsed` is its value."""

    parsed: T = field(kw_only=True)


class Output(Generic[T]):
    """A type for the model's answers: `format` is what to ask for, and `parse` reads an answer.

    The type is a pydantic model, a dataclass, a TypedDict, or anything else of which pydantic's TypeAdapter
    makes a schema. `conversation.parse` does both; with a stream or a run:

        cities = Output(list[City])
        done = await conversation.run("…", text_format=cities.format).result()
        print(cities.parse(done).parsed)
    """

    format: JsonSchemaFormat

    def __init__(self, kind: type[T], *, name: str = "", strict: bool = True) -> None:
        """Raises ImportError without pydantic, and TypeError where the type has no strict schema."""
        pydantic = _pydantic()
        shown = name or _NOT_IN_A_NAME.sub("_", getattr(kind, "__name__", str(kind))).strip("_")
        self._adapter: TypeAdapter[Any] = pydantic.TypeAdapter(kind)
        self._wrapped = _root(self._adapter.json_schema()).get("type") != "object"
        if self._wrapped:
            fields: dict[str, Any] = {VALUE: (kind, ...)}
            self._adapter = pydantic.TypeAdapter(pydantic.create_model(shown, **fields))
        schema = self._adapter.json_schema()
        self.format = json_schema(
            shown[:_LONGEST_NAME], strict_schema(schema) if strict else schema, strict=strict
        )

    def __repr__(self) -> str:
        return f"<Output {self.format.name}>"

    def parse(self, done: Done) -> Parsed[T]:
        """Read an answer.

        Raises RefusalError where the model refused, and OutputError where the answer does not fit. Both have
        the answer as `done`.
        """
        if done.refusal:
            raise RefusalError(done)
        if done.stop_reason != "stop":
            raise OutputError(done, f"the answer is not complete: it ended with {done.stop_reason!r}")
        try:
            value = self._adapter.validate_json(final_text_of(done.message))
        except ValueError as error:  # pydantic's ValidationError is one
            raise OutputError(done, f"the answer does not fit {self.format.name}: {error}") from error
        known = {one.name: getattr(done, one.name) for one in fields(Done)}
        return Parsed(**known, parsed=getattr(value, VALUE) if self._wrapped else value)


def strict_schema(schema: Schema) -> Schema:
    """Return the schema as the upstream takes it under `strict`. Raises TypeError for objects of any keys."""
    definitions = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    return _strict(_root(schema) | definitions, "the output")


def _strict(schema: Schema, where: str) -> Schema:
    made = _reworded(schema)
    for key in ("properties", "$defs"):
        if key in made:
            made[key] = {name: _strict(one, f"{where}, {name}") for name, one in made[key].items()}
    for key in ("anyOf", "prefixItems"):
        if key in made:
            made[key] = [_strict(one, where) for one in made[key]]
    if isinstance(made.get("items"), Mapping):
        made["items"] = _strict(made["items"], where)
    if made.get("type") == "object":
        if "properties" not in made or made.get("additionalProperties") not in (None, False):
            raise TypeError(
                f"{where}: an object of any keys has no strict schema; name its keys, or strict=False"
            )
        made |= {"additionalProperties": False, "required": list(made["properties"])}
    return made


def _reworded(schema: Schema) -> Schema:
    """The same in the words that the upstream knows, without what it refuses."""
    made = {key: value for key, value in schema.items() if key not in ("default", "discriminator")}
    if "oneOf" in made:  # of tagged unions; the tag is required and a constant, so at most one fits anyway
        made["anyOf"] = made.pop("oneOf")
    if "$ref" in made and len(made) > 1:  # a reference must stand alone
        made["anyOf"] = [{"$ref": made.pop("$ref")}]
    return made


def _root(schema: Schema) -> Schema:
    """The schema that a reference at the root stands for: pydantic writes one for a type within itself."""
    found = schema
    while "$ref" in found:
        found = schema["$defs"][found["$ref"].removeprefix("#/$defs/")]
    return found


def _pydantic() -> ModuleType:
    try:
        import pydantic  # noqa: PLC0415 - optional
    except ImportError as missing:
        raise ImportError("structured output needs pydantic: pip install trunkline[pydantic]") from missing
    return pydantic
