"""The response object that every lifecycle event carries: its fields, their defaults, and the usage."""

from dataclasses import dataclass
from typing import Any

import msgspec

from simulator.errors import Json
from simulator.memory import tokens_of

_ECHOED: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "safety_identifier": None,
    "store": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
    "metadata": {},
}
"""Parameters that are echoed, with the default that is echoed when they were not sent."""

_PREAMBLE = ("model", "instructions", "tools", "reasoning")


def opened(body: Json, response_id: str, created_at: int) -> Json:
    """Return the response object of `response.created`."""
    echoed = {name: default if body.get(name) is None else body[name] for name, default in _ECHOED.items()}
    return {
        "id": response_id,
        "object": "response",
        "created_at": created_at,
        "status": "in_progress",
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "model": body["model"],
        "output": [],
        "reasoning": {"effort": None, "summary": None, **(body.get("reasoning") or {})},
        "service_tier": body.get("service_tier") or "auto",
        "text": {"format": {"type": "text"}, "verbosity": "medium", **(body.get("text") or {})},
        "tools": [_with_defaults(tool) for tool in body.get("tools") or ()],
        "usage": None,
        **echoed,
    }


def preamble(body: Json) -> bytes:
    """Return the part of the prompt before the items, as bytes to compare and to count."""
    return msgspec.json.encode([body.get(name) for name in _PREAMBLE])


@dataclass(frozen=True, slots=True)
class Prompt:
    """The size of the input, and how much of it was cached."""

    input_tokens: int
    cached_tokens: int

    def usage(self, output: list[Json]) -> Json:
        reasoning = sum(item_tokens(item) for item in output if item["type"] == "reasoning")
        output_tokens = sum(item_tokens(item) for item in output)
        return {
            "input_tokens": self.input_tokens,
            "input_tokens_details": {
                "cached_tokens": self.cached_tokens,
                "cache_write_tokens": self.input_tokens - self.cached_tokens,
            },
            "output_tokens": output_tokens,
            "output_tokens_details": {"reasoning_tokens": reasoning},
            "total_tokens": self.input_tokens + output_tokens,
        }


def item_tokens(item: Json) -> int:
    """Count the tokens of an output item: those of its text, not of its JSON."""
    match item:
        case {"type": "message", "content": parts}:
            words = "".join(part.get("text", part.get("refusal", "")) for part in parts)
        case {"type": "reasoning", "summary": summary}:
            words = "".join(part["text"] for part in (*summary, *(item.get("content") or ())))
        case _:
            texts = (item.get(name) for name in ("name", "arguments", "input", "code"))
            words = "".join(text for text in texts if isinstance(text, str))
    return tokens_of(words.encode())


def _with_defaults(tool: Json) -> Json:
    if tool["type"] != "function":
        return tool
    return {"description": None, "parameters": None, "strict": True, **tool}
