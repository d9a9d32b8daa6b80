"""Turns whose callers' connections are cut at random points."""

import pytest

from tests.soak.cuts import cuts


async def test_turns_survive_the_connections_of_their_callers():
    figures = await cuts(50, callers=10, seed=1)
    assert figures.problems == [], figures.report()
    assert figures.whole == figures.upstream == 50
    assert figures.attached > 25


@pytest.mark.slow
async def test_a_thousand_turns_leave_nothing():
    figures = await cuts(1000, seed=2)
    assert figures.problems == [], figures.report()
    assert figures.whole == figures.upstream == 1000
