"""The conversations of one chat: the current one, and those that were forked on the way to it."""

from contextlib import suppress
from dataclasses import dataclass, field

from trunkline.aio.conversation import AsyncConversation
from trunkline.errors import TrunklineError
from trunkline.events import Done

GOODBYE_S = 2.0


@dataclass(slots=True)
class Talk:
    """A conversation with what its turns reported. `named`: by the caller, who may return to its session."""

    conversation: AsyncConversation
    named: bool = False
    began: bool = False
    reports: list[Done] = field(default_factory=list)

    async def release(self) -> None:
        """A session that nobody can name again need not wait for its end."""
        if self.began and not self.named:
            with suppress(TrunklineError):
                await self.conversation.release(timeout=GOODBYE_S)


class Talks:
    def __init__(self, first: AsyncConversation, *, named: bool) -> None:
        self._stack = [Talk(first, named)]

    @property
    def current(self) -> Talk:
        return self._stack[-1]

    async def new(self) -> None:
        """Begin an empty conversation in a session of its own. What was forked before is left, too."""
        begun = self._copy(with_messages=False)
        await self._release_all()
        self._stack = [begun]

    def fork(self) -> None:
        """Go on in a copy, in a session of its own. `back` returns."""
        self._stack.append(self._copy(with_messages=True))

    async def back(self) -> bool:
        """Leave the copy. False: there is none."""
        if len(self._stack) == 1:
            return False
        await self._stack.pop().release()
        return True

    async def close(self) -> None:
        await self._release_all()
        await self.current.conversation.client.aclose()

    async def _release_all(self) -> None:
        for talk in self._stack:
            await talk.release()

    def _copy(self, *, with_messages: bool) -> Talk:
        talk = self.current.conversation
        return Talk(
            talk.client.conversation(
                model=talk.model,
                instructions=talk.instructions,
                tools=talk.tools,
                messages=talk.messages if with_messages else (),
                continuation=talk.continuation if with_messages else "",
                **talk.options,
            )
        )
