"""Check by `ast` what the service's code must not do, with the exceptions of today and their reasons."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "service"
TESTS = ROOT / "tests/unit"

HOOKS = {
    ("telemetry/logs.py", "sys.excepthook"): "the interpreter's documented hooks, for uncaught errors",
    ("telemetry/logs.py", "threading.excepthook"): "the same, for threads",
    ("telemetry/logs.py", "sys.unraisablehook"): "the same, for errors in finalizers",
    ("runtime/process.py", "SSLProtocol.max_size"): "asyncio offers no other way to shrink TLS buffers",
}
"""Assignments to something imported that are allowed: (file, target) → why."""

ENVIRONMENT = {
    "__main__.py": "hands the environment to whatever reads it, once",
    "app.py": "hands the environment to the check of the proxies",
    "telemetry/setup.py": "OpenTelemetry's variables belong to the environment",
    "transport/tls.py": "OpenSSL names its variables at run time",
}
"""Files outside of `config/` that may read `os.environ`, and why."""

INTERNAL_MODULES = frozenset({"gc", "sched", "selectors", "asyncio.sslproto", "asyncio.selector_events"})

UNTESTED = frozenset[str]()
"""Files with logic that have no test at their path yet. This list may only shrink."""


def sources() -> dict[str, ast.Module]:
    return {
        str(path.relative_to(SERVICE)): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(SERVICE.rglob("*.py"))
        if "gen" not in path.parts
    }


def imported(tree: ast.Module) -> set[str]:
    """Return the names that imports bind in this file."""
    return {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }


def patched(tree: ast.Module) -> Iterator[str]:
    """Yield each attribute of an imported name that is assigned, deleted or set by `setattr`."""
    names = imported(tree)
    for node in ast.walk(tree):
        target = node
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            if node.func.id not in ("setattr", "delattr"):
                continue
            target = root = node.args[0]
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, (ast.Store, ast.Del)):
            root = node.value
        else:
            continue
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and root.id in names:
            yield ast.unparse(target)


def modules(tree: ast.Module) -> Iterator[str]:
    """Yield the full name of each module, or name in a module, that this file imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reads_environment(tree: ast.Module) -> bool:
    names = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
    through_os = any(
        isinstance(node, ast.Attribute)
        and node.attr in names
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        for node in ast.walk(tree)
    )
    return through_os or any(module in {f"os.{name}" for name in names} for module in modules(tree))


def internals(tree: ast.Module) -> set[str]:
    return set(modules(tree)) & INTERNAL_MODULES


def has_logic(tree: ast.Module) -> bool:
    return any(isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) for node in ast.walk(tree))


def has_test(file: str) -> bool:
    path = TESTS / file
    return path.with_name(f"test_{path.stem.strip('_')}.py").exists()


def test_nothing_imported_is_patched():
    found = {(file, target) for file, tree in sources().items() for target in patched(tree)}
    assert found == set(HOOKS)


def test_only_named_files_read_the_environment():
    found = {file for file, tree in sources().items() if reads_environment(tree)}
    assert {file for file in found if not file.startswith("config/")} == set(ENVIRONMENT)


def test_only_the_runtime_imports_internals():
    found = {(file, module) for file, tree in sources().items() for module in internals(tree)}
    assert {entry for entry in found if not entry[0].startswith("runtime/")} == set()


def test_every_file_with_logic_has_a_test():
    missing = {file for file, tree in sources().items() if has_logic(tree) and not has_test(file)}
    assert missing == UNTESTED, "write the test, or shorten the list"


@pytest.mark.parametrize(
    ("code", "target"),
    [
        ("import a\na.b = 1", "a.b"),
        ("import a.b\na.b.c = 1", "a.b.c"),
        ("from a import B\nB.c += 1", "B.c"),
        ("import a as d\ndel d.b", "d.b"),
        ("from a import B\nsetattr(B, 'c', 1)", "B"),
        ("import a\na.b, x = 1, 2", "a.b"),
    ],
)
def test_a_patch_is_found(code, target):
    assert list(patched(ast.parse(code))) == [target]


def test_an_attribute_of_ones_own_is_no_patch():
    assert not list(patched(ast.parse("import a\nself.b = a.c\nx = a.b()\nx.y = 1")))


@pytest.mark.parametrize(
    "code", ["import os\nos.environ['A']", "from os import environ", "import os\nos.getenv('A')"]
)
def test_a_read_of_the_environment_is_found(code):
    assert reads_environment(ast.parse(code))


@pytest.mark.parametrize(
    "code", ["import gc", "from asyncio import sslproto", "from asyncio.sslproto import SSLProtocol"]
)
def test_an_import_of_an_internal_is_found(code):
    assert internals(ast.parse(code))
