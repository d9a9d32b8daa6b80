"""The short form of `make soak`."""

import pytest

from tests.soak.soak import soak


@pytest.mark.slow
async def test_hundreds_of_turns_leak_nothing():
    figures = await soak(300, callers=20, seed=1)
    assert figures.problems == [], figures.report()
    assert figures.turns >= 300
    assert figures.cancel_s
