"""Decide which events are of our response and which of another one.

Over SSE nothing is foreign: one body is one response, whatever its id. A WebSocket may carry other responses,
between our events or left over from before, and many of their events carry no id of their response:

    response.created      F     before ours: the rest of another response
    output_text.delta     F
    response.created      O     ours begins
    output_text.delta           ours
    response.created      X     another one begins ...
    output_item.added     X
    output_text.delta     X
    response.completed    X     ... and ends
    response.completed    R     ours, under another id: no other is running

So foreign is what comes before our own beginning, what stands between the `response.created` of another
response and its end, and what names another response. An id that merely changes is still ours: some servers
invent one for `response.created`, others one for each event. An end that comes before any beginning is ours,
if nothing of another response came before it.
"""

from __future__ import annotations

from service.wire.lifecycle import MAX_ID_CHARACTERS

MAX_OTHERS = 64
"""Other responses that run at the same time. The API allows 16 on one connection."""


class Ownership:
    """What one response knows of the others on its connection. `shared`: there may be others.

    `wary`: an event that names no response may be foreign.
    """

    __slots__ = ("_begun", "_id", "_others", "_rest", "_shared", "wary")

    def __init__(self, *, shared: bool) -> None:
        self.wary = shared
        self._shared = shared
        self._begun = False
        self._id = ""
        self._others: set[str] = set()
        self._rest = False  # something of another response came before ours began

    def begins(self, response_id: str, *, created: bool) -> bool:
        """Return whether the beginning of this response is that of ours, or repeats it."""
        if self._is_another(response_id):
            if created and len(self._others) < MAX_OTHERS:
                self._others.add(response_id)
                self.wary = True
            return not self.wary
        self._begun = True
        self._id = self._id or response_id
        self.wary = bool(self._others)
        return True

    def ends(self, response_id: str) -> bool:
        """Return whether the end of this response is that of ours."""
        if self._rest:
            self._rest = False
            return False
        if not self._others or response_id == self._id:
            return True
        # The end of an unknown one can only be that of another that runs.
        self._others.discard(response_id if response_id in self._others else next(iter(self._others)))
        self.wary = bool(self._others)
        return False

    def has(self, response_id: str | None) -> bool:
        """Return whether an event that is neither beginning nor end is ours. It may name its response."""
        if not self._shared:
            return True
        if not self._begun:
            self._rest = True
            return False
        return not self._is_another(response_id) if response_id else not self._others

    def fails(self, response_id: str | None) -> bool:
        """Return whether an error is ours: one that names no response is."""
        return not response_id or not self._is_another(response_id)

    def _is_another(self, response_id: str) -> bool:
        # Without an id, or before ours is known, it is taken for ours.
        return self._shared and bool(response_id and self._id) and response_id[:MAX_ID_CHARACTERS] != self._id
