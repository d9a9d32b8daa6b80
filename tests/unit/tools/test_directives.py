"""The page of the simulator's directives is generated, and the check finds a stale one."""

import re
import sys
from pathlib import Path

import pytest

from simulator.scripts import BUILDERS
from simulator.scripts.catalog import entries
from tools import directives

ROOT = Path(__file__).parents[3]
READERS = ["README.md", *(f"clients/{client}/README.md" for client in ("python", "go", "typescript", "java"))]


def test_the_committed_page_is_up_to_date():
    assert directives.PAGE.read_text() == directives.render()


def test_each_directive_has_its_row_once():
    assert sorted(re.findall(r"^\| `sim:(\w+)` \|", directives.render(), re.MULTILINE)) == sorted(BUILDERS)


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_each_directive_says_what_it_does(entry):
    assert entry.room in directives.ROOMS
    assert entry.about.endswith((".", ")."))
    assert "\n" not in entry.about


@pytest.mark.parametrize("reader", READERS)
def test_the_readers_find_the_page_and_directives_that_exist(reader):
    text = (ROOT / reader).read_text()
    assert "docs/simulator.md" in text
    named = re.findall(r"\bsim:(\w+)", text)
    assert named
    assert set(named) <= set(BUILDERS)


def test_the_check_fails_for_a_stale_page(monkeypatch, tmp_path):
    monkeypatch.setattr(directives, "PAGE", tmp_path / "simulator.md")
    monkeypatch.setattr(sys, "argv", ["directives", "--check"])
    with pytest.raises(SystemExit, match="stale"):
        directives.main()
    monkeypatch.setattr(sys, "argv", ["directives"])
    directives.main()
    monkeypatch.setattr(sys, "argv", ["directives", "--check"])
    directives.main()
