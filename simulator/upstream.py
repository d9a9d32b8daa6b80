"""One request to its end, whichever wire it came over: check, recall, choose a script, play it, remember.

Owns the order of these and what a failure does to the connection's memory. It must never know a transport
beyond the `Wire` it is given.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from simulator import dialect, response
from simulator.errors import ApiError, Json
from simulator.ids import Ids
from simulator.journal import Journal, Received
from simulator.memory import Context, Remembered, Slot, Store, recall, tokens_of
from simulator.player import Act, Player
from simulator.scripts import catalog
from simulator.scripts.steps import Fail, Gate, Pace, Script, Wait
from simulator.scripts.turn import Turn
from simulator.settings import Settings
from simulator.validation import request
from simulator.wires.base import Broken, Wire
from simulator.wires.frames import refusal

ACTS_PER_BREATH = 32
"""A script without pauses must not keep the event loop to itself."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request that was understood."""

    received: Received
    slot: Slot
    context: Context
    turn: Turn
    preamble: bytes

    @property
    def silent(self) -> bool:
        cache_options = self.turn.body.get("prompt_cache_options") or {}
        return not self.received.generate or cache_options.get("prewarm") is True

    @property
    def prompt(self) -> response.Prompt:
        latest = self.slot.latest
        cached = latest.cached_tokens(self.context, self.preamble) if latest else 0
        return response.Prompt(tokens_of(self.preamble) + self.context.tokens, cached)


class Upstream:
    """The model and its memory."""

    def __init__(self, settings: Settings, journal: Journal, ids: Ids, clock: Callable[[], float]) -> None:
        self.queued: deque[Script] = deque()
        self.queued_warm_ups: deque[Script] = deque()
        self.gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._settings = settings
        self._journal = journal
        self._ids = ids
        self._clock = clock
        self._store = Store()

    async def answer(self, received: Received, slot: Slot, wire: Wire) -> None:
        """Answer one request. Cancelling means that the client left; that, too, is noted."""
        self._journal.started()
        try:
            await self._answer(received, slot, wire)
        except (Broken, ConnectionError):
            pass  # how it ended is told by who ended it
        finally:
            self._journal.ended(received, "broken" if wire.broken else "aborted")

    async def _answer(self, received: Received, slot: Slot, wire: Wire) -> None:
        try:
            request.check(received.body, wire.transport)
            question = self._understood(received, slot, wire)
            script = self._script(question)
        except ApiError as error:
            slot.evict(received.previous_response_id)
            received.finished = "rejected"
            await wire.fail(refusal(error))
        else:
            wire.adopt(script.framing or self._settings.framing)
            await self._perform(script, question, wire)

    def _understood(self, received: Received, slot: Slot, wire: Wire) -> Question:
        body = received.body
        known = recall(received.previous_response_id, slot, self._store)
        new = [self._resolved(item) for item in request.items_of(body)]
        received.known_items, received.new_items = len(known), len(new)
        received.repeated_items = known.repeats(new)
        context = known.extended(new)
        context.refuse_unanswered_calls()
        turn = Turn(body, wire.transport, new, [entry.item for entry in known.entries])
        return Question(received, slot, context, turn, response.preamble(body))

    def _resolved(self, item: Json) -> Json:
        return self._store.item(item["id"]) if item.get("type") == "item_reference" else item

    def _script(self, question: Question) -> Script:
        """What was queued comes first. A warm-up does not use up what was queued for a turn."""
        queue = self.queued_warm_ups if question.silent else self.queued
        if queue:
            return queue.popleft()
        return Script() if question.silent else catalog.choose(question.turn)

    async def _perform(self, script: Script, question: Question, wire: Wire) -> None:
        response_id = question.received.response_id = self._ids.new("resp")
        spoken = script.dialect or self._settings.dialect
        for count, act in enumerate(self._acts(script, question, response_id)):
            match act:
                case dict():
                    self._note(act, question, response_id)
                    await wire.send(dialect.spoken(act, spoken))
                case Wait(seconds):
                    await asyncio.sleep(seconds)
                case Gate(name):
                    await self.gates[name].wait()
                case Fail():
                    self._failed(question)
                    await wire.fail(act)
                case _:
                    await wire.act(act)
            if count % ACTS_PER_BREATH == 0:
                await asyncio.sleep(0)

    def _acts(self, script: Script, question: Question, response_id: str) -> Iterable[Act]:
        body, settings = question.turn.body, self._settings
        opened = response.opened(body, response_id, int(self._clock()))
        pace = Pace(settings.delta_size, settings.delay_s)
        encrypt = "reasoning.encrypted_content" in (body.get("include") or ())
        player = Player(opened, question.prompt, self._ids, pace, encrypt=encrypt, now=int(self._clock()))
        if question.silent and not settings.ignore_generate:
            return player.silent(script)
        return player.play(script)

    def _note(self, event: Json, question: Question, response_id: str) -> None:
        """Remember how our response ended before the client can know: it may continue at once."""
        ended = event.get("response")
        if not ended or ended.get("id") != response_id or ended["status"] == "in_progress":
            return
        if ended["status"] == "failed":
            self._failed(question)
            return
        question.received.finished = ended["status"]
        context = question.context.extended(ended["output"])
        question.slot.latest = Remembered(response_id, context, question.preamble)
        if question.turn.body.get("store") is not False:
            self._store.keep(response_id, context, self._settings.keep_responses)

    def _failed(self, question: Question) -> None:
        question.received.finished = "failed"
        question.slot.evict(question.turn.previous_response_id)
