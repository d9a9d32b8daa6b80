"""The private words that the glossary has replaced do not come back: each folder has at most what it has."""

from pathlib import Path

import pytest

from tools import count

ROOT = Path(__file__).parents[2]
LEFT: dict[str, int] = {}
"""How many refused words a folder still has; every other has none. These numbers only ever go down."""


@pytest.fixture(scope="module")
def found():
    _, files = count.read(ROOT)
    folders = sorted({count.folder_of(path) for path in files})
    counts = count.counts(files, folders)
    return {folder: counts[f"refused words: {folder}"] for folder in folders}


def test_no_folder_has_more_refused_words_than_it_had(found):
    assert {folder: number for folder, number in found.items() if number > LEFT.get(folder, 0)} == {}


def test_the_numbers_are_lowered_when_words_go(found):
    assert {folder: number for folder, number in LEFT.items() if number > found[folder]} == {}


def test_the_glossary_has_few_words():
    rows = [line for line in (ROOT / "docs/glossary.md").read_text().splitlines() if line.startswith("| ")]
    assert len(rows) - 1 <= 15
