"""The same answer in any dialect: the same deltas, the same message."""

import json
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.domain.events import Completed, Started
from service.domain.messages import ReasoningPart, ToolCallPart, UpstreamItemPart
from service.wire.call_items import anonymous
from service.wire.response_decoder import ResponseDecoder
from tests.unit.wire.server_events import created, ended, frame

DELTAS = {
    "message": "response.output_text.delta",
    "reasoning": "response.reasoning_summary_text.delta",
    "function_call": "response.function_call_arguments.delta",
    "custom_tool_call": "response.custom_tool_call_input.delta",
}


@dataclass(frozen=True)
class Dialect:
    """How a server says an answer. The defaults are the API's.

    `ids`: "stable", "rotating" (another in each event), "repeated" (one for all items) or "none".
    `ends`: when the items end: "early", "late" (all after the last delta) or "never".
    `final`: the output that the end repeats: "whole", "renamed" (with other ids), "older" (an earlier state
    of the items) or "empty".
    """

    indices: bool = True
    places: bool = True
    ids: str = "stable"
    ends: str = "early"
    final: str = "whole"
    announces: bool = True
    streams: bool = True
    numbers_ends: bool = True
    one_call_id: bool = False


@st.composite
def dialects(draw):
    dialect = Dialect(
        indices=draw(st.booleans()),
        places=draw(st.booleans()),
        ids=draw(st.sampled_from(["stable", "rotating", "repeated", "none"])),
        ends=draw(st.sampled_from(["early", "late", "never"])),
        final=draw(st.sampled_from(["whole", "renamed", "older", "empty"])),
        announces=draw(st.booleans()),
        streams=draw(st.booleans()),
        numbers_ends=draw(st.booleans()),
        one_call_id=draw(st.booleans()),
    )
    # An answer must be complete somewhere, and one item after the other needs something that separates them.
    if dialect.final in ("older", "empty") and dialect.ends == "never":
        dialect = replace(dialect, final="whole")
    # A message has no place before its text.
    if dialect.ends != "early":
        dialect = replace(dialect, streams=True)
    if not dialect.announces and (dialect.ends != "early" or not dialect.indices):
        dialect = replace(dialect, announces=True)
    return dialect


LETTERS = st.text("ab", min_size=1, max_size=3)


@st.composite
def answers(draw):
    """Draw the items of an answer: kind, and the pieces of its text."""
    kinds = [*DELTAS, "web_search_call", "thought"]
    drawn = draw(
        st.lists(st.tuples(st.sampled_from(kinds), st.lists(LETTERS, min_size=1, max_size=3)), max_size=5)
    )
    # No two of one content: who sends neither names nor indices could not tell them apart.
    return [(kind, [f"{number}:", *pieces]) for number, (kind, pieces) in enumerate(drawn)]


class Server:
    """Say an answer in a dialect."""

    def __init__(self, dialect, answer):
        self.dialect = dialect
        self.answer = answer
        self.turn = count(100)

    def name(self, number, *, renamed=False):
        match self.dialect.ids:
            case "rotating":
                return {"id": f"id_{next(self.turn)}"}
            case "repeated":
                return {"id": "id_0"}
            case "none":
                return {}
            case _:
                return {"id": f"other_{number}" if renamed else f"id_{number}"}

    def item(self, number, text, **named):
        kind = self.answer[number][0]
        name = self.name(number, **named)
        call_id = "c" if self.dialect.one_call_id else f"c{number}"
        match kind:
            case "message":
                content = [{"type": "output_text", "text": text, "annotations": []}] if text else []
                return {"type": kind, "role": "assistant", "content": content} | name
            case "reasoning":
                return {
                    "type": kind,
                    "summary": [{"type": "summary_text", "text": text}] if text else [],
                } | name
            case "thought":
                return {"type": "reasoning", "summary": [], "encrypted_content": text} | name
            case "function_call":
                return {"type": kind, "call_id": call_id, "name": "f", "arguments": text} | name
            case "custom_tool_call":
                return {"type": kind, "call_id": call_id, "name": "f", "input": text} | name
            case _:
                status = (
                    {"status": "completed", "action": {"query": text}} if text else {"status": "in_progress"}
                )
                return {"type": kind} | status | name

    def place(self, number, *, is_end=False):
        shown = self.dialect.indices and (self.dialect.numbers_ends or not is_end)
        return {"output_index": number} if shown else {}

    def says(self):
        dialect, ends = self.dialect, []
        yield created()
        for number, (kind, pieces) in enumerate(self.answer):
            whole = "".join(pieces)
            if dialect.announces:
                yield frame("response.output_item.added", item=self.item(number, ""), **self.place(number))
            if dialect.streams and kind in DELTAS and (dialect.announces or "call" not in kind):
                for piece in pieces:
                    named = {"item_id": self.name(number)["id"]} if self.dialect.ids != "none" else {}
                    where = {"content_index": 0, "summary_index": 0} if dialect.places else {}
                    yield frame(DELTAS[kind], delta=piece, **named, **where, **self.place(number))
            end = frame(
                "response.output_item.done", item=self.item(number, whole), **self.place(number, is_end=True)
            )
            if dialect.ends == "early":
                yield end
            ends.append(end)
        if dialect.ends == "late":
            yield from ends
        yield ended(output=list(self.output()))

    def output(self):
        for number, (_, pieces) in enumerate(self.answer):
            match self.dialect.final:
                case "older":
                    yield self.item(number, pieces[0], renamed=True)
                case "whole" | "renamed":
                    yield self.item(number, "".join(pieces), renamed=self.dialect.final == "renamed")


def separable(dialect, answer):
    """Two announcements of one name, with no index and no text between them, are one."""
    if dialect.ids == "repeated" and not dialect.indices:
        return [("reasoning" if kind == "thought" else kind, pieces) for kind, pieces in answer]
    return answer


def heard(dialect, answer, *, shared):
    """The texts by index, and the parts without ids."""
    decoder = ResponseDecoder(continuing=False, shared=shared)
    events: list[Any] = []
    for text in Server(dialect, answer).says():
        decoder.feed([text], events)
    started, *deltas, end = events
    assert isinstance(started, Started)
    assert isinstance(end, Completed)
    streamed: dict[int, str] = {}
    for delta in deltas:
        streamed[delta.content_index] = streamed.get(delta.content_index, "") + delta.delta
    return streamed, [nameless(part) for part in end.message.parts], end.stop_reason, dict(decoder.ignored)


def nameless(part):
    match part:
        case ReasoningPart():
            return replace(part, id="")
        case ToolCallPart():
            return replace(part, item_id="", call_id="")
        case UpstreamItemPart():
            return (part.type, anonymous(part.json))
        case _:
            return replace(part, item_id="")


@given(answers(), dialects(), st.booleans())
def test_the_same_answer_in_any_dialect(answer, dialect, shared):
    answer = separable(dialect, answer)
    assert heard(dialect, answer, shared=shared) == heard(Dialect(), answer, shared=shared)


@given(answers())
def test_the_end_alone(answer):
    server = Server(Dialect(), answer)
    for alone in ([created(), ended(output=list(server.output()))], [ended(output=list(server.output()))]):
        decoder = ResponseDecoder(continuing=False)
        events: list[Any] = []
        decoder.feed(alone, events)
        assert [nameless(part) for part in events[-1].message.parts] == heard(Dialect(), answer, shared=True)[
            1
        ]


def test_the_expected_answer_is_right():
    answer = [("thought", ["0:", "a"]), ("message", ["1:", "b"]), ("function_call", ["2:", "c"])]
    streamed, parts, _, ignored = heard(Dialect(), answer, shared=True)
    assert streamed == {1: "1:b", 2: "2:c"}
    assert [getattr(part, "encrypted_content", "") for part in parts] == ["0:a", "", ""]
    assert json.dumps(ignored) == "{}"
