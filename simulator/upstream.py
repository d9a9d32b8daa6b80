"""Answer one request, over any transport: check, recall the context, play a script, remember."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from simulator import pairing, response
from simulator.compaction import compacted, compacting
from simulator.dialect import Translator
from simulator.errors import ApiError, Json
from simulator.ids import Ids
from simulator.journal import Journal, Received
from simulator.memory import Context, PromptCache, Remembered, Slot, Store, recall, tokens_of
from simulator.player import Action, Player
from simulator.scripts import catalog
from simulator.scripts.faults import Close, Drop, End, Garbage, Hang, Page
from simulator.scripts.steps import Fail, Gate, Pace, Script, Wait
from simulator.scripts.turn import Turn
from simulator.settings import Settings
from simulator.validation import request
from simulator.wires.base import ConnectionEnded, Wire
from simulator.wires.frames import refusal
from simulator.wires.http import HttpWire

ACTIONS_PER_YIELD = 32
"""A script without pauses yields to the event loop after so many actions."""


@dataclass(frozen=True, slots=True)
class ValidRequest:
    """A request that passed all checks, with the context that it continues."""

    received: Received
    slot: Slot
    cached: tuple[Remembered | None, ...]
    context: Context
    turn: Turn
    preamble: bytes

    @property
    def warm_up(self) -> bool:
        cache_options = self.turn.body.get("prompt_cache_options") or {}
        return not self.received.generate or cache_options.get("prewarm") is True

    @property
    def prompt(self) -> response.Prompt:
        found = [prompt.cached_tokens(self.context, self.preamble) for prompt in self.cached if prompt]
        return response.Prompt(tokens_of(self.preamble) + self.context.tokens, max(found, default=0))

    @property
    def cache_key(self) -> str | None:
        found: str | None = self.turn.body.get("prompt_cache_key")
        return found


class Upstream:
    """The simulated model, with the responses that it remembers."""

    def __init__(self, settings: Settings, journal: Journal, ids: Ids, clock: Callable[[], float]) -> None:
        self.queued: deque[Script] = deque()
        self.queued_warm_ups: deque[Script] = deque()
        self.queued_compactions: deque[Script] = deque()
        self.gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._settings = settings
        self._journal = journal
        self._ids = ids
        self._clock = clock
        self._store = Store()
        self._prompts = PromptCache()

    async def answer(self, received: Received, slot: Slot, wire: Wire) -> None:
        """Answer one request. Cancelling means that the client has left, and is recorded as `aborted`."""
        await self._recorded(received, wire, self._answer(received, slot, wire))

    async def compact(self, received: Received, wire: HttpWire) -> None:
        """Answer with a shorter conversation that stands for this one. Cancelling: as in `answer`."""
        await self._recorded(received, wire, self._compact(received, wire))

    async def _recorded(self, received: Received, wire: Wire, answering: Awaitable[None]) -> None:
        self._journal.started()
        try:
            await answering
        except (ConnectionEnded, ConnectionError):
            pass  # `wire.broken` says which side ended it
        finally:
            self._journal.ended(received, "broken" if wire.broken else "aborted")

    async def _compact(self, received: Received, wire: HttpWire) -> None:
        body = received.body
        try:
            request.check_compaction(body)
            known = recall(received.previous_response_id, Slot(), self._store)
            new = [self._resolved(item) for item in request.items_of(body)]
            context = known.extended(new)
        except ApiError as error:
            received.finished = "rejected"
            await wire.fail(refusal(error))
            return
        received.known_items, received.new_items = len(known), len(new)
        script = self.queued_compactions.popleft() if self.queued_compactions else Script()
        for step in script.steps:
            match step:
                case Wait(seconds):
                    await asyncio.sleep(seconds)
                case Gate(name):
                    await self.gates[name].wait()
                case Fail():
                    received.finished = "failed"
                    await wire.fail(step)
                    return
                case Drop() | Close() | End() | Hang() | Garbage() | Page():
                    await wire.inject(step)
        answer = compacted(context, self._ids, int(self._clock()))
        received.response_id, received.finished = answer["id"], "completed"
        wire.answer(answer)

    async def _answer(self, received: Received, slot: Slot, wire: Wire) -> None:
        try:
            request.check(received.body, wire.transport)
            valid = self._validated(received, slot, wire)
            script = self._script(valid)
        except ApiError as error:
            slot.evict(received.previous_response_id)
            received.finished = "rejected"
            await wire.fail(refusal(error))
        else:
            wire.adopt(script.framing or self._settings.framing)
            await self._play(script, valid, wire)

    def _validated(self, received: Received, slot: Slot, wire: Wire) -> ValidRequest:
        body = received.body
        known = recall(received.previous_response_id, slot, self._store)
        new = [self._resolved(item) for item in request.items_of(body)]
        received.known_items, received.new_items = len(known), len(new)
        received.repeated_items = known.repeats(new)
        stored = body.get("store") is not False
        pairing.check_reasoning(
            new, stored=stored, known=self._store.knows, thought_of=self._store.thought_of
        )
        context = known.extended(new).compacted()
        context.refuse_unanswered_calls()
        turn = Turn(body, wire.transport, new, [entry.item for entry in known.entries])
        cached = (slot.latest, self._prompts.find(body.get("prompt_cache_key")))
        return ValidRequest(received, slot, cached, context, turn, response.preamble(body))

    def _resolved(self, item: Json) -> Json:
        return self._store.item(item["id"]) if item.get("type") == "item_reference" else item

    def _script(self, valid: ValidRequest) -> Script:
        """Choose the script: a queued one first. Warm-ups and turns have separate queues."""
        queue = self.queued_warm_ups if valid.warm_up else self.queued
        if queue:
            return queue.popleft()
        if valid.warm_up:
            return Script()
        return compacting(catalog.choose(valid.turn), valid.turn, valid.context, valid.prompt.input_tokens)

    async def _play(self, script: Script, valid: ValidRequest, wire: Wire) -> None:
        response_id = valid.received.response_id = self._ids.new("resp")
        translator = Translator(script.dialect or self._settings.dialect)
        for count, action in enumerate(self._actions(script, valid, response_id)):
            match action:
                case dict():
                    self._record_end(action, valid, response_id)
                    for event in translator.translate(action):
                        await wire.send(event)
                case Wait(seconds):
                    await asyncio.sleep(seconds)
                case Gate(name):
                    await self.gates[name].wait()
                case Fail():
                    self._record_failure(valid)
                    await wire.fail(action)
                case _:
                    await wire.inject(action)
            if count % ACTIONS_PER_YIELD == 0:
                await asyncio.sleep(0)

    def _actions(self, script: Script, valid: ValidRequest, response_id: str) -> Iterable[Action]:
        body, settings = valid.turn.body, self._settings
        opened = response.opened(body, response_id, int(self._clock()))
        pace = Pace(settings.delta_size, settings.delay_s)
        include = body.get("include") or ()
        player = Player(opened, valid.prompt, self._ids, pace, include=include, now=int(self._clock()))
        if valid.warm_up and not settings.ignore_generate:
            return player.play_without_output(script)
        return player.play(script)

    def _record_end(self, event: Json, valid: ValidRequest, response_id: str) -> None:
        """Remember how the response ended. Runs before the event is sent: the client may continue at once."""
        ended = event.get("response")
        if not ended or ended.get("id") != response_id or ended["status"] in ("queued", "in_progress"):
            return
        if ended["status"] == "failed":
            self._record_failure(valid)
            return
        valid.received.finished = ended["status"]
        context = valid.context.extended(ended["output"]).compacted()
        valid.slot.latest = Remembered(response_id, context, valid.preamble)
        self._prompts.keep(valid.cache_key, valid.slot.latest, self._settings.keep_responses)
        if valid.turn.body.get("store") is not False:
            self._store.keep(response_id, context, ended["output"], self._settings.keep_responses)

    def _record_failure(self, valid: ValidRequest) -> None:
        valid.received.finished = "failed"
        valid.slot.evict(valid.turn.previous_response_id)
