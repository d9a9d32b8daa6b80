"""Say how long a turn that has a key lives, and whether it can be attached to: `TRANSITIONS`.

A turn with a key is in one of five states, and `TRANSITIONS` has the only ways from one to another:

    READ        it runs, and a caller reads it
    LINGERING   it runs, and nobody reads it: for `linger` seconds, then it is stopped
    ENDED_READ  it has ended, and a caller still reads it
    KEPT        it has ended, and can be read for `linger` seconds
    GONE        nobody can attach to it any more; its task may still clean up

Example: a turn lingers for 60 s. Its caller has read `start` and two deltas, events 1 to 3, when the
connection breaks: LINGERING. Meanwhile events 4 to 9 come. After 5 s the caller calls again, with the same
key and `after_sequence` 3: READ, and it gets 4 to 9 at once and the following ones as they come. The last
one, `done`, is event 20: ENDED_READ, and when the caller has it, KEPT. 60 s later it is GONE.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    READ = "read"
    LINGERING = "lingering"
    ENDED_READ = "ended_read"
    KEPT = "kept"
    GONE = "gone"


class Signal(Enum):
    ATTACH = "attach"
    LEAVE = "leave"
    END = "end"
    FORGET = "forget"


TRANSITIONS: dict[tuple[State, Signal], State] = {
    (State.READ, Signal.ATTACH): State.READ,
    (State.READ, Signal.LEAVE): State.LINGERING,
    (State.READ, Signal.END): State.ENDED_READ,
    (State.READ, Signal.FORGET): State.GONE,
    (State.LINGERING, Signal.ATTACH): State.READ,
    (State.LINGERING, Signal.END): State.KEPT,
    (State.LINGERING, Signal.FORGET): State.GONE,
    (State.ENDED_READ, Signal.ATTACH): State.ENDED_READ,
    (State.ENDED_READ, Signal.LEAVE): State.KEPT,
    (State.ENDED_READ, Signal.FORGET): State.GONE,
    (State.KEPT, Signal.ATTACH): State.ENDED_READ,
    (State.KEPT, Signal.FORGET): State.GONE,
    (State.GONE, Signal.LEAVE): State.GONE,
    (State.GONE, Signal.END): State.GONE,
}
"""What is not here cannot happen: nobody attaches to a turn that is gone, and it is forgotten once."""
