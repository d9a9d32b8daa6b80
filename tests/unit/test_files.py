import logging

import pytest

from service import files
from service.config import SettingsError
from service.files import Watched


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("service.files.time.monotonic", lambda: now[0])
    return now


def number(path):
    return Watched("TRUNKLINE_NUMBER", [str(path)], lambda: int(path.read_text()))


def test_a_file_is_looked_at_once_in_a_while(tmp_path, clock):
    path = tmp_path / "number"
    path.write_text("1")
    watched = number(path)
    path.write_text("22")
    clock[0] += files.LOOK_EVERY_S * 0.9
    assert watched.current() == 1
    clock[0] += files.LOOK_EVERY_S * 0.2
    assert watched.current() == 22


def test_it_is_read_only_if_it_changed(tmp_path, clock):
    path = tmp_path / "number"
    path.write_text("1")
    reads = []
    watched = Watched("TRUNKLINE_NUMBER", [str(path)], lambda: reads.append(path.read_text()))
    for _ in range(3):
        clock[0] += files.LOOK_EVERY_S
        watched.current()
    assert reads == ["1"]


def test_a_broken_file_is_told_once_and_a_mended_one_counts(tmp_path, clock, caplog):
    caplog.set_level(logging.INFO)
    path = tmp_path / "number"
    path.write_text("1")
    watched = number(path)
    seen = []
    for change in (lambda: path.write_text("one"), lambda: None, path.unlink, lambda: None):
        change()
        clock[0] += files.LOOK_EVERY_S
        seen.append(watched.current())
    assert seen == [1, 1, 1, 1]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    path.write_text("333")
    clock[0] += files.LOOK_EVERY_S
    assert watched.current() == 333
    assert caplog.messages[-1] == "TRUNKLINE_NUMBER: read again"


def test_a_file_that_takes_the_place_of_another_is_seen(tmp_path, clock):
    path, new = tmp_path / "number", tmp_path / "new"
    path.write_text("1")
    watched = number(path)
    new.write_text("2")
    new.replace(path)
    clock[0] += files.LOOK_EVERY_S
    assert watched.current() == 2


@pytest.mark.parametrize("text", [None, "one"])
def test_at_the_start_it_must_be_whole(tmp_path, text):
    path = tmp_path / "number"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError, match="TRUNKLINE_NUMBER cannot be used: "):
        number(path)


def test_it_shows_its_name_only(tmp_path):
    assert repr(Watched("TRUNKLINE_NUMBER", [], lambda: "s3cret")) == "Watched(TRUNKLINE_NUMBER)"


def test_a_folder_that_is_swapped_behind_a_link_as_kubernetes_does_it(tmp_path, clock):
    for name, text in (("old", "1"), ("new", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "number").write_text(text)
    (tmp_path / "data").symlink_to("old")
    (tmp_path / "number").symlink_to("data/number")
    watched = number(tmp_path / "number")
    (tmp_path / "next").symlink_to("new")
    (tmp_path / "next").replace(tmp_path / "data")
    clock[0] += files.LOOK_EVERY_S
    assert watched.current() == 2
