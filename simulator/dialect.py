"""Rewrite the events of one response into the dialect of another server: the same content in another form."""

import itertools
from typing import Any

import msgspec

from simulator.errors import Json
from simulator.scripts.steps import Dialect

ORIGINAL = Dialect()
_RUNNING = ("queued", "in_progress")
_INDICES = ("output_index", "content_index", "summary_index")


class Translator:
    """Translates the events of one response, in order. The events themselves are not changed."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._held: list[Json] = []
        self._numbers = itertools.count()
        self._rotations = itertools.count(1)
        self._calls: dict[str, str] = {}

    def translate(self, event: Json) -> list[Json]:
        """Return what a server of this dialect sends now: nothing, or also what was held until now."""
        if self._dialect == ORIGINAL:
            return [event]
        if self._left_out(event):
            return []
        due = [event]
        if self._dialect.ends_last:
            if event["type"].endswith(".done") and "response" not in event:
                self._held.append(event)
                return []
            if event.get("response", {}).get("status", "queued") not in _RUNNING:
                due, self._held = [*self._held, event], []
        return [self._translated(one) for one in due]

    def _left_out(self, event: Json) -> bool:
        kept = "response" in event or event["type"] == "error"
        match self._dialect.between:
            case "everything":
                return False
            case "whole_items":
                return not kept and event["type"] != "response.output_item.done"
        return not kept

    def _translated(self, event: Json) -> Json:
        dialect, changed = self._dialect, dict(event)
        if not dialect.sequence:
            changed.pop("sequence_number", None)
        elif dialect.ends_last and "sequence_number" in changed:
            changed["sequence_number"] = next(self._numbers)
        if not dialect.index:
            changed = {name: value for name, value in changed.items() if name not in _INDICES}
        if "item" in changed:
            changed["item"] = self._item(changed["item"])
        if "item_id" in changed:
            changed["item_id"] = self._calls.get(changed["item_id"], changed["item_id"])
        if "response" in changed:
            changed["response"] = self._response(changed["response"])
        if dialect.done_alias and changed["type"] == "response.completed":
            changed["type"] = "response.done"
        if dialect.odd_fields and "sequence_number" in changed:
            changed["sequence_number"] = str(changed["sequence_number"])
        return self._rotated(changed) if dialect.rotating_ids else changed

    def _item(self, item: Any) -> Any:
        if not isinstance(item, dict):
            return item
        changed, kind = dict(item), item.get("type")
        if self._dialect.named_by_call and kind == "function_call":
            self._calls[item["id"]] = item["call_id"]
            del changed["id"]
        if not self._dialect.sealed and kind == "reasoning":
            changed.pop("encrypted_content", None)
        if self._dialect.odd_fields and kind == "function_call":
            changed["arguments"] = _decoded(item["arguments"])
        return changed

    def _response(self, response: Json) -> Json:
        dialect, changed = self._dialect, dict(response)
        if "output" in response:
            changed["output"] = [self._last(item) for item in response["output"]] if dialect.output else []
        if dialect.usage_alias and changed.get("usage"):
            changed["usage"] = _usage(changed["usage"])
        if dialect.odd_fields:
            changed["created_at"] = str(changed.get("created_at"))
            if changed.get("usage"):
                changed["usage"] = {**changed["usage"], "output_tokens": -9, "total_tokens": 1.5}
        return changed

    def _last(self, item: Any) -> Any:
        """Return an item as the last event holds it."""
        changed = self._item(item)
        if self._dialect.renamed_output and "id" in changed:
            changed["id"] += "_final"
        if self._dialect.stale_output and changed.get("type") == "function_call":
            changed |= {"arguments": "", "status": "in_progress"}
        return changed

    def _rotated(self, value: Any) -> Any:
        """Give the response, its items and the item of an event a new id."""
        changed = dict(value)
        for name in ("id", "item_id"):
            if name in changed:
                changed[name] = f"{changed[name]}_{next(self._rotations)}"
        for name in ("response", "item"):
            if isinstance(changed.get(name), dict):
                changed[name] = self._rotated(changed[name])
        if "output" in changed and "object" in changed:
            changed["output"] = [self._rotated(item) for item in changed["output"]]
        return changed


def _decoded(arguments: str) -> Any:
    """Return arguments as the object that they are, or as they are where they are none."""
    try:
        return msgspec.json.decode(arguments)
    except msgspec.DecodeError:
        return arguments


def _usage(usage: Json) -> Json:
    """Return the usage under the names of the older chat API, without details."""
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "input_tokens_details": None,
        "output_tokens_details": None,
    }
