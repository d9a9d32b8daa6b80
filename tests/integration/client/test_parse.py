from dataclasses import dataclass

import pytest

from tests.integration.client.scripted import START, asks, done, says
from trunkline import Output, OutputError, RefusalError, json_schema
from trunkline.gen.trunkline.v1.message_pb2 import Part, RefusalPart


@dataclass
class Point:
    x: int
    y: int


POINT = '{"x": 1, "y": 2}'


async def test_a_type_goes_in_and_its_value_comes_out(face, service, conversation):
    service.scripts = [says(POINT)]
    answer = await face.call(conversation.parse, "Where?", Point)
    assert answer.parsed == Point(1, 2)
    asked = service.requests[0].options.text.json_schema
    assert (asked.name, asked.strict) == ("Point", True)
    assert len(conversation.messages) == 2


async def test_tools_are_called_on_the_way(face, service, conversation):
    def double(x: int) -> int:
        return 2 * x

    service.scripts = [asks(("c1", "double", '{"x": 1}')), says(POINT)]
    answer = await face.call(conversation.parse, "Where?", Output(Point), tools=[double])
    assert answer.parsed == Point(1, 2)
    assert all(request.options.text.json_schema.name == "Point" for request in service.requests)


async def test_an_answer_that_does_not_fit_is_kept(face, service, conversation):
    service.scripts = [says("[1, 2]"), says(POINT)]
    with pytest.raises(OutputError, match="does not fit Point"):
        await face.call(conversation.parse, "Where?", Point)
    assert (await face.call(conversation.parse, "As an object.", Point)).parsed == Point(1, 2)
    assert len(service.requests[1].messages) == 3


async def test_a_refusal_has_an_error_of_its_own(face, service, conversation):
    service.scripts = [[START, done(Part(refusal=RefusalPart(text="I will not.")))]]
    with pytest.raises(RefusalError, match=r"I will not\."):
        await face.call(conversation.parse, "Where?", Point)


async def test_a_stream_has_its_type_by_hand(face, service, conversation):
    service.scripts = [says(POINT)]
    point = Output(Point)
    turn = conversation.stream("Where?", text_format=point.format)
    await face.events(turn)
    assert point.parse(turn.done).parsed == Point(1, 2)


async def test_parse_knows_the_format_of_the_text_itself(face, service, conversation):
    service.scripts = [says(POINT)]
    await face.call(conversation.parse, "Where?", Point, text_format=json_schema("other", "{}"))
    assert service.requests[0].options.text.json_schema.name == "Point"
