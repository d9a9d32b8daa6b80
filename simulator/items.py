"""Build one output item, and the events that announce its parts and deltas.

The player decides when an item begins and ends, and numbers the events.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simulator.errors import Json

_EMPTY: dict[str, Json] = {
    "message": {"content": []},
    "reasoning": {"summary": []},
    "function_call": {"arguments": ""},
}
_FIELD = {"output_text": "text", "refusal": "refusal", "reasoning_text": "text"}
_EVENT = {
    "output_text": "response.output_text",
    "refusal": "response.refusal",
    "reasoning_text": "response.reasoning_text",
}
_WITHOUT_ITEM_ID = "response.shell_call_command."
"""Events that name their item by its index only."""


class ItemBuilder:
    """An output item that is being written. `item` holds what has been written so far."""

    def __init__(self, item: Json, index: int, *, logprobs: bool = False) -> None:
        empty = _EMPTY.get(item["type"], {})
        self.item = item | {name: type(value)() for name, value in empty.items()}
        self.index = index
        self._logprobs = logprobs
        self._part: Json | None = None

    def added(self) -> Json:
        return {"type": "response.output_item.added", "output_index": self.index, "item": _copy(self.item)}

    def part(
        self, kind: str, words: str, pieces: Sequence[str], citations: Sequence[Mapping[str, Any]] = ()
    ) -> Iterator[Json]:
        """Write a content part up to its last delta and its citations. It stays open until `part_end`."""
        tokens = [*map(_logprob, pieces)] if self._logprobs and kind == "output_text" else []
        self._part = _part(kind, words, citations, tokens)
        place = self._place()
        yield {"type": "response.content_part.added", **place, "part": _part(kind, "")}
        name, none = f"{_EVENT[kind]}.delta", _of_text(kind, logprobs=[])
        for number, piece in enumerate(pieces):
            logprobs = {"logprobs": [tokens[number]]} if tokens else none
            yield {"type": name, **place, "delta": piece, **logprobs}
        for number, citation in enumerate(citations):
            where = {**place, "annotation_index": number}
            yield {"type": "response.output_text.annotation.added", **where, "annotation": dict(citation)}

    def part_end(self) -> Iterator[Json]:
        if self._part is None:
            return
        part, place = self._part, self._place()
        kind = part["type"]
        logprobs = _of_text(kind, logprobs=part.get("logprobs"))
        yield {"type": f"{_EVENT[kind]}.done", **place, _FIELD[kind]: part[_FIELD[kind]], **logprobs}
        if part.get("logprobs"):
            part["logprobs"] = [
                {**token, "bytes": list(token["token"].encode())} for token in part["logprobs"]
            ]
        yield {"type": "response.content_part.done", **place, "part": part}
        self.item.setdefault("content", []).append(part)
        self._part = None

    def summary(self, words: str, pieces: Sequence[str]) -> Iterator[Json]:
        place = {
            "item_id": self.item["id"],
            "output_index": self.index,
            "summary_index": len(self.item["summary"]),
        }
        part = {"type": "summary_text", "text": words}
        yield {"type": "response.reasoning_summary_part.added", **place, "part": {**part, "text": ""}}
        for piece in pieces:
            yield {"type": "response.reasoning_summary_text.delta", **place, "delta": piece}
        yield {"type": "response.reasoning_summary_text.done", **place, "text": words}
        yield {"type": "response.reasoning_summary_part.done", **place, "part": part}
        self.item["summary"].append(part)

    def arguments(self, words: str, pieces: Sequence[str]) -> Iterator[Json]:
        place = {"item_id": self.item["id"], "output_index": self.index}
        self.item["arguments"] = words
        for piece in pieces:
            yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}

    def event(self, kind: str, fields: Mapping[str, Any]) -> Json:
        """Return an event about this item that has no method of its own."""
        name = {} if kind.startswith(_WITHOUT_ITEM_ID) else {"item_id": self.item["id"]}
        return {"type": kind, **name, "output_index": self.index, **fields}

    def end(self, status: str) -> Iterator[Json]:
        """Close the item and any open part. Reasoning items have no status."""
        yield from self.part_end()
        if self.item["type"] == "function_call":
            fields = {name: self.item[name] for name in ("arguments", "name")}
            place = {"item_id": self.item["id"], "output_index": self.index}
            yield {"type": "response.function_call_arguments.done", **place, **fields}
        if "status" in self.item:
            self.item["status"] = status
        yield {"type": "response.output_item.done", "output_index": self.index, "item": self.item}

    def _place(self) -> Json:
        content = self.item.get("content", ())
        return {"item_id": self.item["id"], "output_index": self.index, "content_index": len(content)}


def encrypted(item: Json) -> str:
    """Return content that is opaque to the client, and equal for equal items."""
    digest = hashlib.sha256(repr(item).encode()).digest()
    return "gAAAA" + base64.urlsafe_b64encode(digest).decode()


def _part(
    kind: str, words: str, citations: Sequence[Mapping[str, Any]] = (), logprobs: Sequence[Json] = ()
) -> Json:
    extra = _of_text(kind, annotations=[dict(citation) for citation in citations], logprobs=list(logprobs))
    return {"type": kind, _FIELD[kind]: words, **extra}


def _of_text(kind: str, **fields: Any) -> Json:
    """Return the fields that only `output_text` has."""
    return fields if kind == "output_text" else {}


def _logprob(piece: str) -> Json:
    """Return the log probability of a piece, which is taken for one token."""
    return {"token": piece, "logprob": -0.25, "top_logprobs": []}


def _copy(item: Json) -> Json:
    """Copy an item for an event: an event that was sent must not change when the item grows."""
    return {name: list(value) if isinstance(value, list) else value for name, value in item.items()}
