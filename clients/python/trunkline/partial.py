"""The answer received so far, for a turn whose connection broke before the service could report it.

Tool calls are left out, as the service leaves them out: half a call is no call.
"""

from collections import defaultdict

from trunkline.events import Event, ReasoningDelta, RefusalDelta, TextDelta
from trunkline.gen.trunkline.v1.message_pb2 import (
    ROLE_ASSISTANT,
    Message,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
)

MAKE = {
    "text": lambda text: Part(text=TextPart(text=text)),
    "refusal": lambda text: Part(refusal=RefusalPart(text=text)),
    "reasoning": lambda text: Part(reasoning=ReasoningPart(summary=[text])),
}


class Partial:
    def __init__(self) -> None:
        # (index, kind) → deltas, joined only when asked for: adding string to string would cost the square.
        self._deltas: defaultdict[tuple[int, str], list[str]] = defaultdict(list)

    def add(self, event: Event) -> None:
        match event:
            case TextDelta(content_index=index, delta=delta):
                self._deltas[index, "text"].append(delta)
            case RefusalDelta(content_index=index, delta=delta):
                self._deltas[index, "refusal"].append(delta)
            case ReasoningDelta(content_index=index, delta=delta):
                self._deltas[index, "reasoning"].append(delta)

    @property
    def text(self) -> str:
        return "".join(
            "".join(deltas) for (_, kind), deltas in sorted(self._deltas.items()) if kind == "text"
        )

    def message(self) -> Message | None:
        """None: nothing has come."""
        parts = [MAKE[kind]("".join(deltas)) for (_, kind), deltas in sorted(self._deltas.items())]
        return Message(role=ROLE_ASSISTANT, parts=parts) if parts else None
