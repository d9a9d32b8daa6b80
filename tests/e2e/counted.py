"""What a test has counted, shown as a table when the run is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

Numbers = Callable[..., None]
COUNTED: pytest.StashKey[dict[str, dict[str, object]]] = pytest.StashKey()


@pytest.fixture
def numbers(request: pytest.FixtureRequest) -> Numbers:
    """`numbers("a replica dies", sessions=48, moved=17)`: a row, or more of a row that is there."""
    counted = request.config.stash.setdefault(COUNTED, {})

    def count(title: str, **figures: object) -> None:
        counted.setdefault(title, {}).update(figures)

    return count


def table(counted: dict[str, dict[str, object]]) -> Iterator[str]:
    yield "| what | counted |"
    yield "|---|---|"
    for title, figures in counted.items():
        reported = " · ".join(f"{name.replace('_', ' ')} {figure}" for name, figure in figures.items())
        yield f"| {title} | {reported} |"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if counted := config.stash.get(COUNTED, None):
        terminalreporter.write_sep("=", "counted")
        for line in table(counted):
            terminalreporter.write_line(line)
