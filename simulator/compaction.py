"""Compact a conversation: by a request of its own, or in an answer.

In the answer to such a request the user's messages stay as they are, and one opaque item stands for all the
rest. In an answer the item comes first, and stands for all that was said before it: that leaves the context.
"""

from simulator.errors import Json
from simulator.ids import Ids
from simulator.items import encrypted
from simulator.memory import SEAL_OF_WINDOW, Context
from simulator.response import Prompt
from simulator.scripts import hosted
from simulator.scripts.steps import Script
from simulator.scripts.turn import Turn


def compacted(context: Context, ids: Ids, created_at: int) -> Json:
    """Return the answer to `POST /v1/responses/compact`: a list of items to begin a new chain with."""
    items = [entry.item for entry in context.entries]
    said = [_message(item, ids) for item in items if item.get("role") == "user"]
    seal = SEAL_OF_WINDOW + _seal(context)
    sealed = {"id": ids.new("cmp"), "type": "compaction", "encrypted_content": seal}
    return {
        "id": ids.new("resp"),
        "object": "response.compaction",
        "created_at": created_at,
        "output": [*said, sealed],
        "usage": Prompt(context.tokens, 0).usage([]),
    }


def compacting(script: Script, turn: Turn, context: Context, tokens: int) -> Script:
    """Return the script, with a compaction before it if the context has more than the tokens that the request
    allows, and in its place if a `compaction_trigger` ends the input.
    """
    item = hosted.compaction(_seal(context))
    if turn.new and turn.new[-1].get("type") == "compaction_trigger":
        return Script(item)
    entries = turn.body.get("context_management") or ()
    thresholds = [entry["compact_threshold"] for entry in entries if entry.get("compact_threshold")]
    if not any(tokens > threshold for threshold in thresholds):
        return script
    return Script(item, *script.steps, dialect=script.dialect, framing=script.framing)


def _seal(context: Context) -> str:
    return encrypted({"items": [entry.item for entry in context.entries]})


def _message(item: Json, ids: Ids) -> Json:
    content = item["content"]
    parts = [{"type": "input_text", "text": content}] if isinstance(content, str) else content
    return {"id": ids.new("msg"), **item, "type": "message", "status": "completed", "content": parts}
