"""What a script may use of the request that it answers: the last user message, the tools, their results."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.errors import Json
from simulator.pairing import ANSWERS


@dataclass(frozen=True, slots=True)
class Turn:
    """One valid request: its body, its new items, and those that the upstream already knew."""

    body: Json
    transport: str
    new: Sequence[Json]
    known: Sequence[Json] = ()

    @property
    def previous_response_id(self) -> str | None:
        return self.body.get("previous_response_id")

    @property
    def user_text(self) -> str:
        """The text of the last user message; empty if there is none."""
        for item in self._backwards():
            if item.get("role") == "user":
                return text_of(item["content"])
        return ""

    @property
    def results(self) -> list[Json]:
        """The results of functions since the last user message, oldest first."""
        return [item for item in self.answers if item["type"] == "function_call_output"]

    @property
    def answers(self) -> list[Json]:
        """What the caller answered to calls of any kind since the last user message, oldest first."""
        found: list[Json] = []
        for item in self._backwards():
            if item.get("role") == "user":
                break
            if item.get("type") in ANSWERS:
                found.append(item)
        return found[::-1]

    def tool(self, *kinds: str) -> Json | None:
        """The first tool of one of these types."""
        return next((tool for tool in self.offered if tool["type"] in kinds), None)

    @property
    def offered(self) -> list[Json]:
        """The tools of the request, then those that its items add; one of a namespace says which."""
        items = (item for item in (*self.known, *self.new) if item.get("type") == "additional_tools")
        tools = [*(self.body.get("tools") or ()), *(tool for item in items for tool in item["tools"])]
        flat: list[Json] = []
        for tool in tools:
            inner = tool.get("tools", ()) if tool["type"] == "namespace" else ()
            flat += [{**one, "namespace": tool.get("name")} for one in inner] or [tool]
        return flat

    @property
    def function(self) -> Json | None:
        """The tool to call: the one that `tool_choice` names, else the first function that is allowed."""
        choice = self.body.get("tool_choice")
        offered = [tool for tool in self.offered if tool["type"] == "function"]
        match choice:
            case "none":
                return None
            case {"type": "function", "name": name}:
                offered = [tool for tool in offered if tool["name"] == name]
            case {"type": "allowed_tools", "tools": allowed}:
                names = [tool.get("name") for tool in allowed]
                offered = [tool for tool in offered if tool["name"] in names]
        return offered[0] if offered else None

    @property
    def must_call(self) -> bool:
        match self.body.get("tool_choice"):
            case "required" | {"type": "function"} | {"type": "allowed_tools", "mode": "required"}:
                return not self.results
        return False

    @property
    def output_schema(self) -> Json | None:
        """The JSON Schema that the answer must meet; any object for `json_object`; None for plain text."""
        match (self.body.get("text") or {}).get("format"):
            case {"type": "json_schema", "schema": schema}:
                return dict(schema)
            case {"type": "json_object"}:
                return {"type": "object", "properties": {"answer": {"type": "string"}}}
        return None

    def _backwards(self) -> Iterator[Json]:
        yield from reversed(self.new)
        yield from reversed(self.known)


def text_of(content: Any) -> str:
    """Return the text of a message or of a tool result, in either form."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if "text" in part)
