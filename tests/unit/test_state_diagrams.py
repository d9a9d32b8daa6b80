"""The state diagrams of docs/architecture.md are what the code does, for each signal in each state."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from service.domain import keeping
from service.domain.errors import Reason, TurnError
from service.domain.events import Event
from service.domain.replay import TRANSITIONS
from service.domain.replay import State as TurnState
from service.sessions import circuit_breaker
from service.sessions.circuit_breaker import Breaker
from service.sessions.session import Session, SessionState
from service.wire.response_assembler import ResponseAssembler
from service.wire.response_decoder import ResponseDecoder
from tests.unit.wire.server_events import created, ended, frame

PAGE = (Path(__file__).parents[2] / "docs/architecture.md").read_text()

Edge = tuple[str, str, str]
"""A state, the one that follows, and the signal."""


def drawn(title: str) -> list[str]:
    found = re.search(rf"^## {title}\n(?:(?!^## ).)*?```mermaid\n(.*?)\n```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, f"no diagram under {title!r}"
    lines: list[str] = found.group(1).splitlines()
    return lines


def diagram(start: str, edges: Iterable[Edge], ends: Iterable[str] = ()) -> list[str]:
    lines = ["stateDiagram-v2", f"    [*] --> {start}"]
    lines += [f"    {before} --> {after}: {signal}" for before, after, signal in edges]
    return lines + [f"    {end} --> [*]" for end in ends]


def test_the_diagram_of_a_turn_is_the_table():
    edges = [(state.value, after.value, signal.value) for (state, signal), after in TRANSITIONS.items()]
    assert drawn("A turn") == diagram("new", edges, (TurnState.DONE.value, TurnState.FAILED.value))


def test_the_diagram_of_a_turn_with_a_key_is_the_table():
    edges = [
        (state.value, after.value, signal.value) for (state, signal), after in keeping.TRANSITIONS.items()
    ]
    assert drawn("A turn with a key") == diagram("read", edges, (keeping.State.GONE.value,))


async def test_the_diagram_of_a_session_is_what_it_does():
    signals: dict[str, Callable[[Session], object]] = {
        "begin": lambda session: session.begin(),
        "begin a warm-up": lambda session: session.begin(warm_up=True),
        "finish": lambda session: session.finish(),
        "release": lambda session: session.release(),
    }
    ways: dict[str, list[str]] = {
        "free": [],
        "warming": ["begin a warm-up"],
        "running": ["begin"],
        "released": ["release"],
    }
    assert set(ways) == {state.value for state in SessionState}

    edges = []
    for state, way in ways.items():
        for signal, apply in signals.items():
            session = Session("tenant", "s1", 0.0, 0.0)
            for step in way:
                signals[step](session)
            assert session.state.value == state
            apply(session)
            if session.state.value != state:
                edges.append((state, session.state.value, signal))
    assert drawn("A session") == diagram("free", edges, ("released",))


LOST = TurnError(Reason.CONNECT_FAILED, "no")


def breaker_in(*steps: Callable[[Breaker], object]) -> Breaker:
    """Return a breaker after these steps, with its pause over."""
    now = [0.0]
    breaker = Breaker(60.0, refusals_last=True, clock=lambda: now[0], random=lambda: 0.0)
    for step in steps:
        step(breaker)
        now[0] += 3600.0
    return breaker


def silent_twice(breaker: Breaker) -> None:
    for source in ("one session", "another"):
        breaker.silent(LOST, source)


BREAKER_SIGNALS: dict[str, Callable[[Breaker], object]] = {
    "a dial fails": lambda breaker: breaker.failed(LOST),
    "two connections stay silent": silent_twice,
    "a dial succeeds": Breaker.succeeded,
    "a dial is abandoned": Breaker.abandoned,
    "a connection receives": Breaker.received,
    "the pause is over, a turn dials": Breaker.admit,
}
BREAKER_WAYS = {
    "closed": [],
    "open": ["a dial fails"],
    "probing": ["a dial fails", "the pause is over, a turn dials"],
}


def test_the_diagram_of_the_circuit_breaker_is_what_it_does():
    edges = []
    for state, way in BREAKER_WAYS.items():
        for signal, apply in BREAKER_SIGNALS.items():
            breaker = breaker_in(*(BREAKER_SIGNALS[step] for step in way))
            assert breaker.state.value == state
            apply(breaker)
            if breaker.state.value != state:
                edges.append((state, breaker.state.value, signal))
    assert {edge[0] for edge in edges} == {state.value for state in circuit_breaker.State}
    assert drawn("The circuit breaker") == diagram("closed", edges)


def test_the_diagram_of_a_response_is_what_it_does():
    begun = {"waiting": [], "running": [created()], "finished": [created(), ended()]}
    edges: dict[tuple[str, str, str], list[str]] = {}
    for state, frames in begun.items():
        for kind in ResponseAssembler.HANDLERS:
            decoder = ResponseDecoder(continuing=False)
            decoder.feed(frames, [])
            assert state_of(decoder) == state
            failed = fed(decoder, ended(kind) if kind.startswith("response.") else error(kind))
            if (after := state_of(decoder)) != state:
                name = kind.removeprefix("response.") or "error"
                names = edges.setdefault((state, after, " (TurnError)" if failed else ""), [])
                names += [name] if name not in names else []
    labelled = [(before, after, ", ".join(names) + end) for (before, after, end), names in edges.items()]
    assert drawn("A response") == diagram("waiting", labelled, ("finished",))


def state_of(decoder: ResponseDecoder) -> str:
    return repr(decoder).rpartition(", ")[2].rstrip(")")


def fed(decoder: ResponseDecoder, event: str) -> bool:
    events: list[Event] = []
    try:
        decoder.feed([event], events)
    except TurnError:
        return True
    return False


def error(kind: str) -> str:
    text: str = frame(kind, error={"message": "no", "code": "server_error"})
    return text
