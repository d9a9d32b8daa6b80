"""Remember what the model said, where a framework's history keeps less of it.

A framework joins the paragraphs of a thought, drops the phase of a text, or writes a search's result in
another way. What it keeps is the id of an item. Where that and the words are the same, the part that the
model said is sent in place of what came back, so the service finds the history that it knows. A part that was
changed, or that another process remembers, goes as it came back: at worst everything is sent.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from operator import itemgetter

from trunkline.gen.trunkline.v1.message_pb2 import ROLE_ASSISTANT, Message, Part

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
                        if said := self._parts.get(_key(part.item_id, part)):
                            part.CopyFrom(said)

    def _forget(self, key: Key) -> None:
        if part := self._parts.pop(key, None):
            self._bytes -= part.ByteSize()


def _key(item_id: str, part: Part) -> Key:
    """Thoughts and items of the upstream are known by their id alone: nobody edits them."""
    match part.WhichOneof("part"):
        case "text":
            return item_id, part.text.text
        case "refusal":
            return item_id, part.refusal.text
        case "tool_call":
            return item_id, f"{part.tool_call.call_id} {part.tool_call.arguments}"
        case kind:
            return item_id, f"\0{kind}"
