"""A compacted conversation: `Compaction`."""

from dataclasses import dataclass
from datetime import UTC, datetime

from trunkline.gen.trunkline.v1.completion_pb2 import CompactResponse
from trunkline.gen.trunkline.v1.message_pb2 import Message
from trunkline.reports import Usage, usage_from


@dataclass(frozen=True, slots=True)
class Compaction:
    """What the upstream made of a conversation.

    `messages` replace all messages of the request, unchanged: some of them, and an item of type "compaction"
    that stands for the rest. `response_id` is the upstream's id of it.
    """

    messages: tuple[Message, ...]
    usage: Usage
    response_id: str
    provider: str
    created_at: datetime | None


def compaction_from(message: CompactResponse) -> Compaction:
    return Compaction(
        messages=tuple(message.messages),
        usage=usage_from(message.usage),
        response_id=message.response_id,
        provider=message.provider,
        created_at=message.created_at.ToDatetime(UTC) if message.HasField("created_at") else None,
    )
