"""A file or a function that outgrows these bounds wants to be two."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 50
SOURCES = [
    path
    for tree in ("service", "simulator", "clients/python", "tools", "deploy")
    for path in sorted((ROOT / tree).rglob("*.py"))
    if "gen" not in path.parts
]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_size(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MAX_FILE_LINES
    functions = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    too_long = [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES]
    assert too_long == []


def test_the_sources_were_found():
    assert ROOT / "service/__init__.py" in SOURCES
