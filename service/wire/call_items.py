"""Output items that are calls of the caller's tools, and items that have no part of their own."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from service.domain.events import Event, ToolCallDelta
from service.domain.messages import Part, ToolCallPart, ToolKind
from service.wire import lenient
from service.wire.bounds import Bounds
from service.wire.item_json import Item
from service.wire.output_items import Head, OutputItem, Parts, VerbatimPart
from service.wire.streams import Stream
from service.wire.tally import Tally

CALL_KINDS = {"function_call": ToolKind.FUNCTION, "custom_tool_call": ToolKind.CUSTOM}


class _GrowingCall:
    """A tool call. It is complete when its item or the response ended, unless its status denies it."""

    __slots__ = ("_head", "_kind", "call_id", "closed", "name", "status", "stream")

    def __init__(self, call_id: str, item: Item, index: int, head: Head, bounds: Bounds) -> None:
        self.call_id = call_id
        self.closed = False
        self.status = ""
        self._head = head
        self._kind = CALL_KINDS[item.type]
        # A list, because the name may come later. The lambda captures it and not self: no reference cycle.
        self.name = names = [item.name or ""]
        self.stream = Stream(lambda piece: ToolCallDelta(index, piece, call_id, names[0]), bounds)

    def part(self, ended: bool) -> Part | None:
        if self.status == "incomplete" or not (ended or (self.closed and self.status != "in_progress")):
            return None
        head = self._head
        return ToolCallPart(
            self.call_id, self.name[0], self.stream.text, self._kind, head.id, head.extra_json
        )


class CallItem(OutputItem):
    """An item that is one call of a function or of a custom tool, and one part."""

    __slots__ = ("_call", "stream")

    def __init__(self, parts: Parts, item: Item) -> None:
        super().__init__(parts, item)
        self.content_index = index = parts.place()
        self.call_id = item.call_id or self.head.id or f"call_{parts.response_id}_{index}"
        self._call = _GrowingCall(self.call_id, item, index, self.head, parts.bounds)
        self.stream = self._call.stream
        parts.growing.append(self._call)

    @property
    def content(self) -> str:
        return self.stream.text

    @property
    def called(self) -> str:
        """The name of the tool."""
        return self._call.name[0]

    def open(self) -> list[Event]:
        return [self.stream.make_delta("")]

    def learn(self, item: Item) -> None:
        super().learn(item)
        if item.name and not (self.closed and self.called):
            self._call.name[0] = item.name

    def settle(self, item: Item, tally: Tally) -> list[Event]:
        call = self._call
        if not self.closed or call.status == "in_progress":
            call.closed, call.status = True, item.status or ""
        final = item.arguments if item.type == "function_call" else item.input
        # Whoever streams may have run the tool when the call was closed: it is not extended any more.
        if self.closed and self.stream.text:
            return []
        return self.stream.settle(final, tally)


class UpstreamItem(OutputItem):
    """An item that has no part of its own: one part, the item verbatim."""

    __slots__ = ("_growing",)

    def __init__(self, parts: Parts, item: Item) -> None:
        super().__init__(parts, item)
        self.content_index = parts.place()
        self._growing = VerbatimPart(item, self.head)
        parts.growing.append(self._growing)
        self._take(item)

    @property
    def content(self) -> str:
        return anonymous(self._growing.json)

    def fields(self) -> lenient.Fields:
        return lenient.fields_of(self._growing.json)

    def learn(self, item: Item) -> None:
        super().learn(item)
        self.call_id = self.call_id or item.call_id or ""

    def settle(self, item: Item, tally: Tally) -> list[Event]:
        if not self.closed:
            self._take(item)
            self._growing.closed = True
        return []

    def _take(self, item: Item) -> None:
        self.call_id = self.call_id or item.call_id or ""
        self._growing.take(item, self.parts.bounds)


def anonymous(json: str) -> str:
    """Return the object without its id and state, to compare it with another state of it."""
    fields = lenient.fields_of(json)
    return msgspec.json.encode(
        {k: v for k, v in fields.items() if k not in ("id", "status")}, order="sorted"
    ).decode()


CALLER_TOOLS = frozenset(
    {"computer_call", "local_shell_call", "shell_call", "apply_patch_call", "tool_search_call"}
)
"""Calls for the caller, unless they say otherwise. So is one of an unknown kind that has a call_id."""


def answered_in(items: Iterable[UpstreamItem]) -> set[str]:
    """Return the ids of the calls whose output the upstream has itself put into the answer."""
    return {item.call_id for item in items if item.kind.endswith("_output")}


def is_waiting(items: Iterable[UpstreamItem]) -> bool:
    """Return whether one of the items is a call that neither the upstream nor another item answers.

    A call names itself by `call_id`, a request for approval by its id; the answer repeats that name.
    """
    asked: set[str] = set()
    answered: set[str] = set()
    for item in items:
        own = {item.call_id, item.head.id}
        if item.kind.endswith("_output"):
            answered |= own
        elif item.kind in ("mcp_approval_response", "mcp_call"):
            answered.add(_field(item.fields(), "approval_request_id"))
        elif item.kind == "mcp_approval_request":
            asked.add(item.head.id or item.kind)
        elif _may_be_for_the_caller(item) and not _runs_upstream(item.fields()):
            asked.add(item.call_id or item.head.id or item.kind)
    return bool(asked - answered)


def _may_be_for_the_caller(item: UpstreamItem) -> bool:
    return item.kind in CALLER_TOOLS or (bool(item.call_id) and item.kind.endswith("_call"))


def _runs_upstream(fields: lenient.Fields) -> bool:
    """Return whether the item says that the upstream runs it: a search of tools, a shell in a container."""
    if execution := _field(fields, "execution"):
        return execution == "server"
    try:
        environment = lenient.fields_of(fields.get("environment", b"{}"))
    except lenient.UNREADABLE:
        return False
    return _field(environment, "type").startswith("container")


def _field(fields: lenient.Fields, name: str) -> str:
    return lenient.text(bytes(fields.get(name, b""))) or ""
