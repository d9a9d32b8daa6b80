import asyncio
from types import SimpleNamespace

import pytest

from tests.unit.client.cli.fakes import session
from trunkline import SessionPage, TrunklineError
from trunkline.cli.replicas import AT_ONCE, MAX_CALLS, PATIENCE, ReplicaFinder


class Balancer:
    """A client whose calls a load balancer leads to one of these replicas, evenly, by `near`."""

    def __init__(self, *names):
        self.settings = SimpleNamespace(address="door:1")
        self.names = list(names)
        self.sessions = {}
        self.calls = 0
        self.failing = False

    async def list_sessions(self, *, page_size, page_token, near):
        self.calls += 1
        if self.failing:
            raise TrunklineError("UNAVAILABLE", "gone")
        name = self.names[int(near, 16) % len(self.names)]
        ids = sorted(self.sessions.get(name, ()))
        left = [one for one in ids if one > page_token]
        page = left[: min(page_size, 2)]
        token = page[-1] if len(page) < len(left) else ""
        return SessionPage(tuple(session(one) for one in page), token, name)


def finder_of(balancer):
    return ReplicaFinder(balancer)


def shown(replicas):
    return {replica.name: [one.session_id for one in replica.sessions] for replica in replicas}


async def test_one_replica_is_asked_until_another_one_is_out_of_the_question():
    balancer = Balancer("blue")
    balancer.sessions = {"blue": ["a", "b", "c"]}
    assert shown(await finder_of(balancer).look()) == {"blue": ["a", "b", "c"]}
    assert balancer.calls <= PATIENCE * 2 + AT_ONCE + 2


@pytest.mark.parametrize("count", [2, 3, 10, 40])
async def test_all_replicas_are_found_with_all_pages_of_each(count):
    names = [f"r{n:02}" for n in range(count)]
    balancer = Balancer(*names)
    balancer.sessions = {name: [f"{name}-{n}" for n in range(5)] for name in names}
    assert shown(await finder_of(balancer).look()) == balancer.sessions


async def test_a_later_look_asks_the_same_ones_and_for_a_new_one():
    balancer = Balancer("blue", "green")
    finder = finder_of(balancer)
    await finder.look()
    before = balancer.calls
    assert set(shown(await finder.look())) == {"blue", "green"}
    assert balancer.calls == before + 2 + AT_ONCE
    balancer.names.append("red")
    looks = [set(shown(await finder.look())) for _ in range(5)]
    assert looks[-1] == {"blue", "green", "red"}


async def test_a_replica_that_is_gone_is_not_shown_and_what_moved_is_found_again():
    balancer = Balancer("blue", "green", "red")
    finder = finder_of(balancer)
    await finder.look()
    balancer.names = ["red", "blue"]
    assert set(shown(await finder.look())) == {"blue", "red"}
    balancer.names = ["green", "blue"]
    assert set(shown(await finder.look())) == {"blue", "green"}


async def test_a_failure_is_one_row_and_the_next_look_finds_all_again():
    balancer = Balancer("blue", "green")
    finder = finder_of(balancer)
    balancer.failing = True
    [row] = await finder.look()
    assert (row.address, row.name, row.error.reason) == ("door:1", "", "UNAVAILABLE")
    assert balancer.calls == AT_ONCE
    balancer.failing = False
    assert set(shown(await finder.look())) == {"blue", "green"}
    balancer.failing = True
    [row] = await finder.look()
    assert row.error
    balancer.failing = False
    assert set(shown(await finder.look())) == {"blue", "green"}


async def test_names_without_end_do_not_keep_it_busy():
    class Endless(Balancer):
        async def list_sessions(self, **_):
            self.calls += 1
            return SessionPage((), "", f"r{self.calls}")

    balancer = Endless()
    async with asyncio.timeout(30):
        await finder_of(balancer).look()
    assert balancer.calls <= 2 * MAX_CALLS
