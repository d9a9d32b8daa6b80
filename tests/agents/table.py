"""Show what the adapters did, when the run is over: a row for each framework, a column for each scenario."""

from collections.abc import Iterable, Iterator

SCENARIOS = (
    "stream",
    "parallel_tools",
    "hosted_tool",
    "structured",
    "cancel",
    "error_before",
    "error_after",
)
"""What each framework is tried with."""

PROPERTY = "adapter"
"""A test's user property: framework, scenario, requests upstream, how many of them were incremental."""

Cell = tuple[str, str, int, int]


def table(cells: Iterable[tuple[Cell, bool]]) -> Iterator[str]:
    """Yield the lines of a Markdown table; `cells` are what tests recorded, and whether they passed."""
    frameworks: dict[str, dict[str, str]] = {}
    for (framework, scenario, requests, incremental), passed in cells:
        shown = f"{incremental} of {requests}" if passed else "FAILED"
        frameworks.setdefault(framework, {})[scenario] = shown
    yield f"| incremental requests | {' | '.join(SCENARIOS)} |"
    yield f"|---|{'---|' * len(SCENARIOS)}"
    for framework, found in sorted(frameworks.items()):
        yield f"| {framework} | {' | '.join(found.get(scenario, '-') for scenario in SCENARIOS)} |"
