"""Compact a conversation: the user's messages stay as they are, one opaque item stands for all the rest."""

from simulator.errors import Json
from simulator.ids import Ids
from simulator.items import encrypted
from simulator.memory import Context
from simulator.response import Prompt


def compacted(context: Context, ids: Ids, created_at: int) -> Json:
    """Return the answer to `POST /v1/responses/compact`: a list of items to begin a new chain with."""
    items = [entry.item for entry in context.entries]
    said = [_message(item, ids) for item in items if item.get("role") == "user"]
    sealed = {"id": ids.new("cmp"), "type": "compaction", "encrypted_content": encrypted({"items": items})}
    return {
        "id": ids.new("resp"),
        "object": "response.compaction",
        "created_at": created_at,
        "output": [*said, sealed],
        "usage": Prompt(context.tokens, 0).usage([]),
    }


def _message(item: Json, ids: Ids) -> Json:
    content = item["content"]
    parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content
    return {"id": ids.new("msg"), **item, "type": "message", "status": "completed", "content": parts}
