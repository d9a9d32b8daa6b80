import subprocess

import pytest

from tools import count

FILES = {
    "service/__main__.py": '"""Run it."""\n\n\ndef main():\n    return 1  # the exit code\n',
    "service/wire/sse.py": '"""Told."""\n\nLIMIT = 1\n"""In bytes,\nat most."""\n\n\ndef feed(): ...\n',
    "service/wire/__init__.py": '"""No logic."""\n',
    "service/gen/a_pb2.py": "told = 1\n",
    "tests/unit/wire/test_sse.py": "told_once = 1\n",
    "tests/locks/dev.lock": "told\n",
    "README.md": "What the caller is told is\nbehind it. It must\nnever be old. It cannot be\nhad anew.\n",
}
FOLDERS = ["(root)", "service/", "tests/"]


@pytest.fixture
def checkout(tmp_path):
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\0told\n")
    author = ("-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false")
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "All of it"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "untracked.md").write_text("told\n")
    return tmp_path


def test_only_tracked_text_is_read(checkout):
    _, files = count.read(checkout)
    assert files == FILES


def test_lines_comments_and_tests():
    result = count.counts(FILES, FOLDERS)
    assert result["lines tracked"] == 21
    assert result["service: files"] == 3
    assert (result["service: lines"], result["service: comment lines"]) == (14, 1)
    assert result["service: docstring lines"] == 5
    assert list(count.without_test(FILES, "service/")) == ["service/__main__.py"]
    assert result["service/: of these without a test"] == 1


def test_refused_words_by_folder():
    result = count.counts(FILES, FOLDERS)
    assert {name: number for name, number in result.items() if "words" in name or "behind" in name} == {
        "refused words: (root)": 4,
        "refused words: service/": 1,
        "refused words: tests/": 1,
        "refused words: all": 6,
        '"behind": (root)': 1,
        '"behind": service/': 0,
        '"behind": tests/': 0,
        '"behind": all': 1,
    }


@pytest.mark.parametrize(
    ("text", "number"),
    [("told", 1), ("_told", 1), ("told_at Told", 2), ("untold retold", 0), ("tolded", 0)],
)
def test_a_word_counts_within_an_identifier(text, number):
    assert count.occurrences(text, count.REFUSED["told"]) == number


def test_must_never_counts_only_as_an_opening():
    pattern = count.REFUSED["Must never"]
    assert count.occurrences("Must never wait. It must\nnever wait. Ids must never repeat.", pattern) == 2


def test_two_checkouts_are_two_columns(checkout, capsys):
    count.main([str(checkout), str(checkout), "--untested"])
    output = capsys.readouterr().out.splitlines()
    assert output[0].endswith(": service/__main__.py")
    (line,) = (line for line in output if line.startswith("lines tracked "))
    assert line.split()[-2:] == ["21", "21"]
