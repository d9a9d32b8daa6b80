"""Remember what the model said, where a framework's history keeps less of it.

A framework joins the paragraphs of a thought, drops the phase of a text, or leaves keys out of a search. What
it keeps is the id of an item. Where that is the same, and what came back holds nothing but what was said, the
part that the model said is sent in its place, so the service finds the history that it knows. A part that was
changed, or that another process remembers, goes as it came back: at worst everything is sent. An id alone is
not enough: there are servers that give the same ones in each answer.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from operator import itemgetter

from trunkline.gen.trunkline.v1.message_pb2 import ROLE_ASSISTANT, Message, Part, ReasoningPart
from trunkline.items import fields_of

MAX_BYTES = 32 * 1024 * 1024
"""How much is remembered; of more, what was said first is forgotten."""

Key = tuple[str, str]


class SaidParts:
    """The parts of answers, by the ids under which a framework got them. Safe for several threads."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._parts: OrderedDict[Key, Part] = OrderedDict()
        self._bytes = 0

    def keep(self, parts: Iterable[tuple[str, Part]]) -> None:
        """Remember parts, each with the id that the framework has for its item. Without one: not."""
        with self._lock:
            for item_id, part in filter(itemgetter(0), parts):
                self._forget(_key(item_id, part))
                self._parts[_key(item_id, part)] = part
                self._bytes += part.ByteSize()
            while self._bytes > self._max_bytes:
                self._forget(next(iter(self._parts)))

    def restore(self, messages: Iterable[Message]) -> None:
        """Put what the model said in the place of what came back of it."""
        with self._lock:
            for message in messages:
                if message.role == ROLE_ASSISTANT:
                    for part in message.parts:
                        said = self._parts.get(_key(part.item_id, part))
                        if said is not None and _agree(part, said):
                            part.CopyFrom(said)

    def _forget(self, key: Key) -> None:
        if part := self._parts.pop(key, None):
            self._bytes -= part.ByteSize()


def _key(item_id: str, part: Part) -> Key:
    """Return the id and the words, as far as these can be compared as they are."""
    match part.WhichOneof("part"):
        case "text":
            return item_id, part.text.text
        case "refusal":
            return item_id, part.refusal.text
        case "tool_call":
            return item_id, f"{part.tool_call.call_id} {part.tool_call.arguments}"
        case kind:
            return item_id, f"\0{kind}"


def _agree(came_back: Part, said: Part) -> bool:
    match came_back.WhichOneof("part"):
        case "reasoning" if sealed := came_back.reasoning.encrypted_content:
            return sealed == said.reasoning.encrypted_content
        case "reasoning":
            return "" != _words(came_back.reasoning) == _words(said.reasoning)
        case "upstream_item":
            return _within(fields_of(came_back.upstream_item.json), fields_of(said.upstream_item.json))
        case _:
            return True


def _words(thought: ReasoningPart) -> str:
    return "".join((*thought.summary, *thought.content))


def _within(less: object, more: object) -> bool:
    """Return whether a value of JSON is the other one, but for what it lacks and how objects are written."""
    match less, more:
        case _ if less in (None, "", [], {}):
            return True
        case dict(), dict():
            return all(_within(value, more.get(key)) for key, value in less.items())
        case list(), list():
            return len(less) == len(more) and all(map(_within, less, more))
        case str(), str():
            return less == more or fields_of(less) == fields_of(more) != {}
        case _:
            return less == more
