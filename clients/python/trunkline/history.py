"""The messages of a conversation, without I/O.

A turn that ends well adds what was asked and what was answered; one that fails, or that the caller leaves,
adds nothing. Every request carries all messages, whatever the service remembers.
"""

import uuid
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from trunkline.compaction import Compaction
from trunkline.events import Done
from trunkline.gen.trunkline.v1.completion_pb2 import (
    CompactRequest,
    CompleteRequest,
    StreamCompletionRequest,
)
from trunkline.gen.trunkline.v1.message_pb2 import Message, ToolCallPart
from trunkline.items import answered_in
from trunkline.messages import Input, as_messages, tool_calls_of
from trunkline.options import Options
from trunkline.requests import compact_request, turn_request
from trunkline.tools import Tools, as_tools, merged
from trunkline.turn import Settle

R = TypeVar("R", StreamCompletionRequest, CompleteRequest)


class History:
    """What `AsyncConversation` and `Conversation` share. Every attribute may be changed between turns.

    Editing `messages` is allowed: the next turn is then sent in full, and its report says so. `continuation`
    is the token of the latest turn that brought one, and goes with the next turn. Kept beside the messages it
    lets another process go on incrementally; without it, or with one that does not fit, a turn goes in full.
    """

    def __init__(
        self,
        client: Any,
        session_id: str | None = None,
        *,
        model: str,
        instructions: str = "",
        tools: Tools = (),
        messages: Iterable[Message] = (),
        options: Options | None = None,
        continuation: str = "",
    ) -> None:
        self.client = client
        self.session_id = session_id or uuid.uuid4().hex
        self.model = model
        self.instructions = instructions
        self.tools = as_tools(tools)
        self.messages = list(messages)
        self.options: Options = options or {}
        self.continuation = continuation
        self._busy = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.session_id}: {len(self.messages)} messages, model {self.model}>"

    def open_calls(self) -> tuple[ToolCallPart, ...]:
        """The calls of the last answer that no message, and no item beside them, has answered yet."""
        answered: set[str] = set()
        for message in reversed(self.messages):
            answered |= answered_in(message)
            if calls := tool_calls_of(message):
                return tuple(call for call in calls if call.call_id not in answered)
        return ()

    def declare(self, tools: Tools) -> None:
        """Adds tools, or gives declared ones their functions, from the next turn on."""
        self.tools = merged(self.tools, tools)

    def _ask(self, kind: type[R], given: Input | None, request_id: str, options: Options) -> tuple[R, Settle]:
        """Open a turn. Returns its request and the callback for its end."""
        self._refuse_a_second()
        new: list[Message] = as_messages(given)
        request = turn_request(
            kind,
            session_id=self.session_id,
            model=self.model,
            messages=[*self.messages, *new],
            instructions=self.instructions,
            tools=self.tools,
            request_id=request_id,
            options=self.options | options,
            continuation=self.continuation,
        )
        self._busy = True

        def settle(done: Done | None) -> None:
            self._busy = False
            if done is not None:
                self.messages += [*new, done.message]
                self.continuation = done.continuation or self.continuation

        return request, settle

    def _resumes(self, options: Options) -> bool:
        """Whether a turn with these options goes on where its connection breaks."""
        return bool((self.options | options).get("resume"))

    def _compact(self, request_id: str) -> tuple[CompactRequest, Callable[[Compaction | None], None]]:
        """Open a compaction, as `_ask` opens a turn."""
        self._refuse_a_second()
        request = compact_request(
            session_id=self.session_id,
            model=self.model,
            messages=self.messages,
            instructions=self.instructions,
            request_id=request_id,
            store=self.options.get("store"),
            prompt_cache_key=self.options.get("prompt_cache_key"),
            service_tier=self.options.get("service_tier"),
        )
        self._busy = True

        def settle(compaction: Compaction | None) -> None:
            self._busy = False
            if compaction is not None:
                self.messages[:] = compaction.messages

        return request, settle

    def _refuse_a_second(self) -> None:
        if self._busy:
            # Of two answers to one history only one can be its next message.
            raise RuntimeError("a turn of this conversation is still open: read it to its end, or leave it")
