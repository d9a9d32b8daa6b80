"""Count what the renovation changes: `python -m tools.count [CHECKOUT ...]`, one column for each checkout.

Only tracked files are counted, as they are on disk. To compare with another commit, check it out elsewhere:
`git worktree add /tmp/old COMMIT && python -m tools.count /tmp/old .`
"""

import argparse
import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

REFUSED = {
    "told": r"told",
    "anew": r"anew",
    "can(not) be had": r"be\s+had",
    "makes no sense": r"makes?\s+no\s+sense",
    "gives back": r"g[ia]ves?\s+back",
    "keeps house": r"ke(?:eps?|pt)\s+house",
    "Must never": r"(?-i:(?:Must|It\s+must)\s+never)",
}
"""Words that have a standard replacement. "must never" is refused only where it opens a sentence."""

APART = {"behind": r"behind"}
"""Counted separately: as a preposition of place the word is fine, as one of time ("after") it is not."""

LISTING_REFUSED_WORDS = ("tools/count.py", "tests/unit/tools/test_count.py", "tests/workshop/test_words.py")
UNREAD = re.compile(
    r"(^|/)gen(erated)?/|\.lock$|(^|/)package-lock\.json$|(^|/)go\.sum$|^bench/results/|(^|/)LICENSE$"
)
"""Generated files and licences: nobody writes their words."""

TEST_FOLDERS = {
    "service/": "tests/unit/",
    "simulator/": "tests/unit/simulator/",
    "tools/": "tests/unit/tools/",
}
"""Where the tests of a folder are: `tests/unit/wire/test_sse.py` tests `service/wire/sse.py`."""

Files = Mapping[str, str]


def read(checkout: Path) -> tuple[str, Files]:
    """Return the short commit of a checkout, and its tracked text files: path → content."""
    files = {}
    for path in _git(checkout, "ls-files", "-z").split("\0"):
        file = checkout / path
        if path and file.is_file() and not file.is_symlink():
            data = file.read_bytes()
            if b"\0" not in data:
                files[path] = data.decode(errors="replace")
    return _git(checkout, "rev-parse", "--short", "HEAD").strip(), files


def _git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603


def counts(files: Files, folders: Sequence[str]) -> dict[str, int]:
    """Return all counts of a checkout by name. Words are also counted for each of the top folders."""
    service = {path: text for path, text in files.items() if _is_source(path, "service/")}
    result = {
        "lines tracked": sum(len(text.splitlines()) for text in files.values()),
        "lines tracked, not generated": sum(len(text.splitlines()) for _, text in _written(files)),
        "service: files": len(service),
        "service: lines": sum(len(text.splitlines()) for text in service.values()),
        "service: comment lines": sum(comment_lines(text) for text in service.values()),
        "service: docstring lines": sum(docstring_lines(text) for text in service.values()),
    }
    for folder in TEST_FOLDERS:
        result[f"{folder}: files with logic"] = len(list(_with_logic(files, folder)))
        result[f"{folder}: of these without a test"] = len(list(without_test(files, folder)))
    result |= _by_word(files, REFUSED)
    result |= _by_folder(files, REFUSED, "refused words: ", folders)
    return result | _by_folder(files, APART, '"behind": ', folders)


def _is_source(path: str, folder: str) -> bool:
    return path.startswith(folder) and path.endswith(".py") and "gen" not in PurePosixPath(path).parts


def _written(files: Files) -> Iterator[tuple[str, str]]:
    return ((path, text) for path, text in files.items() if not UNREAD.search(path))


def comment_lines(source: str) -> int:
    """Count the lines with a `#` comment, on a line of its own or after code."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return sum(token.type == tokenize.COMMENT for token in tokens)


def docstring_lines(source: str) -> int:
    """Count the lines of strings that stand as a statement: docstrings, and those below a constant."""
    return sum(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _with_logic(files: Files, folder: str) -> Iterator[str]:
    """Yield the source files that define a function."""
    for path, text in files.items():
        if _is_source(path, folder):
            functions = (ast.FunctionDef, ast.AsyncFunctionDef)
            if any(isinstance(node, functions) for node in ast.walk(ast.parse(text))):
                yield path


def without_test(files: Files, folder: str) -> Iterator[str]:
    """Yield the source files with logic that have no test at their path."""
    for path in _with_logic(files, folder):
        source = PurePosixPath(TEST_FOLDERS[folder], path.removeprefix(folder))
        if str(source.with_name(f"test_{source.stem.strip('_')}.py")) not in files:
            yield path


def occurrences(text: str, pattern: str) -> int:
    """Count a word, whatever its case, also as a part of an identifier such as `_told` or `told_at`."""
    return len(re.findall(rf"(?i)(?<![a-z])(?:{pattern})(?![a-z])", text))


def _by_word(files: Files, words: Mapping[str, str]) -> dict[str, int]:
    texts = [text for path, text in _written(files) if path not in LISTING_REFUSED_WORDS]
    return {
        f'refused: "{word}"': sum(occurrences(text, pattern) for text in texts)
        for word, pattern in words.items()
    }


def folder_of(path: str) -> str:
    """Return the top folder of a file, as `service/`; `(root)` for a file without a folder."""
    folder, slash, _ = path.partition("/")
    return folder + slash if slash else "(root)"


def _by_folder(files: Files, words: Mapping[str, str], prefix: str, folders: Sequence[str]) -> dict[str, int]:
    total = dict.fromkeys([*folders, "all"], 0)
    for path, text in _written(files):
        if path not in LISTING_REFUSED_WORDS:
            number = sum(occurrences(text, pattern) for pattern in words.values())
            total[folder_of(path)] += number
            total["all"] += number
    return {f"{prefix}{folder}": number for folder, number in total.items()}


def table(columns: Sequence[tuple[str, Mapping[str, int]]]) -> str:
    """Format the counts, one column for each checkout. All columns have the same names."""
    names = list(columns[0][1])
    width = max(map(len, names))
    lines = [" " * width + "".join(f"{title:>12}" for title, _ in columns)]
    lines += [f"{name:<{width}}" + "".join(f"{column[name]:>12,}" for _, column in columns) for name in names]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description="Count lines, comments, tests and refused words of checkouts."
    )
    parser.add_argument(
        "checkouts", nargs="*", type=Path, default=[Path()], help="folders; by default this one"
    )
    parser.add_argument("--untested", action="store_true", help="list the files with logic without a test")
    options = parser.parse_args(arguments)
    checkouts = [read(checkout) for checkout in options.checkouts]
    if options.untested:
        for commit, files in checkouts:
            for folder in TEST_FOLDERS:
                print(*(f"{commit}: {path}" for path in without_test(files, folder)), sep="\n")
    folders = sorted({folder_of(path) for _, files in checkouts for path in files})
    print(table([(commit, counts(files, folders)) for commit, files in checkouts]), end="")


if __name__ == "__main__":
    main()
