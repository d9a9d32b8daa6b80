import builtins
import json
import sys
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

import trunkline
from trunkline import AnswerError, Done, Output, OutputError, RefusalError, Report, Usage
from trunkline.gen.trunkline.v1.message_pb2 import ROLE_ASSISTANT, Message, Part, RefusalPart, TextPart
from trunkline.output import strict_schema


class City(BaseModel):
    name: str
    people: int | None = None


@dataclass
class Point:
    x: float
    y: float = 0.0


class Row(TypedDict):
    key: str


class Tree(BaseModel):
    """A tree."""

    label: str
    branches: "list[Tree]" = []


class Colour(Enum):
    RED = "red"


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Zoo(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    home: City = Field(description="where it lives")


def answer(*parts, stop_reason="stop"):
    message = Message(role=ROLE_ASSISTANT, parts=parts)
    return Done(message, stop_reason, Usage(), "m", "", None, Report())


def says(text, phase=""):
    return Part(text=TextPart(text=text, phase=phase))


def schema_of(output):
    return json.loads(output.format.schema)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (City, '{"name": "Lima", "people": null}', City(name="Lima")),
        (Point, '{"x": 1, "y": 2}', Point(1.0, 2.0)),
        (Row, '{"key": "a"}', {"key": "a"}),
        (Tree, '{"label": "a", "branches": []}', Tree(label="a")),
        (list[City], '{"value": [{"name": "Lima", "people": 3}]}', [City(name="Lima", people=3)]),
        (Colour, '{"value": "red"}', Colour.RED),
        (int, '{"value": 3}', 3),
    ],
)
def test_an_answer_comes_back_as_its_type(kind, text, value):
    output: Output[Any] = Output(kind)
    done = answer(says(text))
    parsed = output.parse(done)
    assert parsed.parsed == value
    assert (parsed.text, parsed.stop_reason, parsed.message) == (text, "stop", done.message)
    assert schema_of(output)["type"] == "object"
    assert output.format.strict


def test_the_schema_asks_for_every_property_and_no_other():
    output = Output(City)
    schema = schema_of(output)
    assert (output.format.name, schema["required"]) == ("City", ["name", "people"])
    assert schema["additionalProperties"] is False
    assert "default" not in schema["properties"]["people"]
    assert schema_of(Output(City, name="town", strict=False)) == City.model_json_schema()


def test_what_a_strict_schema_does_not_know_is_written_in_other_words():
    schema = strict_schema(Zoo.model_json_schema())
    pet, home = schema["properties"]["pet"], schema["properties"]["home"]
    assert [one["$ref"] for one in pet["anyOf"]] == ["#/$defs/Cat", "#/$defs/Dog"]
    assert "oneOf" not in pet
    assert "discriminator" not in pet
    assert home == {"anyOf": [{"$ref": "#/$defs/City"}], "description": "where it lives"}
    assert all(one["additionalProperties"] is False for one in schema["$defs"].values())


@pytest.mark.parametrize("kind", [dict[str, int], list[dict[str, int]], list[dict[Any, Any]]], ids=str)
def test_an_object_of_any_keys_needs_strict_to_be_off(kind):
    with pytest.raises(TypeError, match="strict=False"):
        Output(kind)
    assert not Output(kind, strict=False).format.strict


def test_the_names_of_types_are_names_for_the_upstream():
    assert Output(list[City]).format.name == "list"
    assert Output(City, name="n" * 99).format.name == "n" * 64


@pytest.mark.parametrize("text", ["", "Sorry.", '{"name": 3}', '{"name": "Lima", "people": "many"}', "[]"])
def test_an_answer_that_does_not_fit_is_a_clear_error(text):
    done = answer(says(text))
    with pytest.raises(OutputError, match="does not fit City") as caught:
        Output(City).parse(done)
    assert caught.value.done is done
    assert (caught.value.sent, caught.value.retryable, caught.value.lost) == (True, False, False)


@pytest.mark.parametrize("stop_reason", ["length", "content_filter", "tool_use", "action_required"])
def test_an_answer_that_is_cut_off_says_so(stop_reason):
    with pytest.raises(OutputError, match=stop_reason):
        Output(City).parse(answer(says('{"name": "Li'), stop_reason=stop_reason))


def test_a_refusal_is_none_of_these():
    done = answer(Part(refusal=RefusalPart(text="I will not.")))
    with pytest.raises(RefusalError) as caught:
        Output(City).parse(done)
    assert (caught.value.message, caught.value.done) == ("I will not.", done)
    assert isinstance(caught.value, AnswerError)
    assert not isinstance(caught.value, OutputError)


def test_what_the_model_says_on_the_way_is_not_the_answer():
    done = answer(says("Let me look.", "commentary"), says('{"name": "Lima", "people": 1}', "final_answer"))
    assert Output(City).parse(done).parsed.people == 1


def test_without_pydantic_the_error_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "pydantic", raising=False)
    real = builtins.__import__

    def without(name, *rest):
        if name == "pydantic":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"trunkline\[pydantic\]"):
        trunkline.Output(City)
