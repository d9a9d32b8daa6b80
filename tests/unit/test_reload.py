import logging
import os
import threading
import time
from weakref import WeakSet

import pytest

from service import reload
from service.domain.errors import SettingsError
from service.reload import Watched


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("service.reload.time.monotonic", lambda: now[0])
    monkeypatch.setattr("service.reload.time.time", lambda: 0.0)  # no file looks old
    monkeypatch.setattr("service.reload._ALL", WeakSet())  # only the files of this test are read again
    return now


def later(clock, watched):
    """Its value when a change has been seen and left alone."""
    for _ in range(2):
        clock[0] += max(reload.CHECK_EVERY_S, reload.SETTLED_S)
        watched.current()
    return watched.current()


def number(path):
    return Watched("TRUNKLINE_NUMBER", [str(path)], lambda: int(path.read_text()))


def test_a_file_is_looked_at_once_in_a_while(tmp_path, clock):
    path = tmp_path / "number"
    path.write_text("1")
    watched = number(path)
    path.write_text("22")
    clock[0] += reload.CHECK_EVERY_S * 0.9
    assert watched.current() == 1
    clock[0] += reload.CHECK_EVERY_S * 0.2
    assert watched.current() == 1, "seen, but it may not be whole"
    clock[0] += reload.SETTLED_S
    assert watched.current() == 22


def test_it_is_read_only_if_it_changed(tmp_path, clock):
    path = tmp_path / "number"
    path.write_text("1")
    reads = []
    watched = Watched("TRUNKLINE_NUMBER", [str(path)], lambda: reads.append(path.read_text()))
    for _ in range(3):
        clock[0] += reload.CHECK_EVERY_S
        watched.current()
    assert reads == ["1"]


def test_a_broken_file_is_reported_once_and_a_corrected_one_counts(tmp_path, clock, caplog):
    caplog.set_level(logging.INFO)
    path = tmp_path / "number"
    path.write_text("1")
    watched = number(path)
    seen = []
    for change in (lambda: path.write_text("one"), lambda: None, path.unlink, lambda: None):
        change()
        seen.append(later(clock, watched))
    assert seen == [1, 1, 1, 1]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    path.write_text("333")
    assert later(clock, watched) == 333
    assert caplog.messages[-1] == "TRUNKLINE_NUMBER: read again"


def test_a_file_that_takes_the_place_of_another_is_seen(tmp_path, clock):
    path, new = tmp_path / "number", tmp_path / "new"
    path.write_text("1")
    watched = number(path)
    new.write_text("2")
    new.replace(path)
    assert later(clock, watched) == 2


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
    assert later(clock, watched) == 2


def test_a_change_counts_only_when_the_file_was_left_alone(tmp_path, clock):
    path = tmp_path / "number"
    path.write_text("1")
    watched = number(path)
    for text in ("22", "333", "4444"):
        path.write_text(text)
        clock[0] += reload.CHECK_EVERY_S
        assert watched.current() == 1
    clock[0] += reload.SETTLED_S
    assert watched.current() == 4444


def test_a_change_that_is_old_counts_at_once(tmp_path, clock, monkeypatch):
    path = tmp_path / "number"
    path.write_text("1")
    watched = number(path)
    path.write_text("22")
    changed = path.stat()
    written_at = max(changed.st_mtime_ns, changed.st_ctime_ns) / 1e9
    monkeypatch.setattr("service.reload.time.time", lambda: written_at + reload.SETTLED_S + 0.001)
    clock[0] += reload.CHECK_EVERY_S
    assert watched.current() == 22


def test_a_file_that_changes_while_it_is_read_is_not_taken(tmp_path, clock):
    path = tmp_path / "number"
    path.write_text("1")
    written = ["22"]

    def read():
        value = int(path.read_text())
        if value != 1 and written:
            path.write_text(written.pop() + "2")
        return value

    watched = Watched("TRUNKLINE_NUMBER", [str(path)], read)
    path.write_text("22")
    assert later(clock, watched) == 1
    assert later(clock, watched) == 222


def test_a_change_that_hides_its_time_and_size_is_seen(tmp_path, clock):
    path = tmp_path / "number"
    path.write_text("1")
    watched = number(path)
    before = path.stat()
    time.sleep(0.02)  # the system's clock for files ticks each 4 ms
    path.write_text("2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_mtime_ns, after.st_size, after.st_ino) == (
        before.st_mtime_ns,
        before.st_size,
        before.st_ino,
    )
    assert later(clock, watched) == 2


def test_a_forced_check_reads_at_once_and_reports_the_outcome(tmp_path, clock, caplog):
    caplog.set_level(logging.INFO)
    path = tmp_path / "number"
    path.write_text("1")
    watched = number(path)
    path.write_text("22")
    reload.read_again()
    assert watched.current() == 22
    path.write_text("two")
    for _ in range(2):
        reload.read_again()
    path.unlink()
    reload.read_again()
    assert watched.current() == 22
    assert [record.levelname for record in caplog.records] == ["INFO", "ERROR", "ERROR", "ERROR"]


def test_a_file_that_was_away_is_missed_each_time(tmp_path, clock, caplog):
    path, aside = tmp_path / "number", tmp_path / "aside"
    path.write_text("1")
    watched = number(path)
    for _ in range(2):
        path.rename(aside)
        assert later(clock, watched) == 1
        aside.rename(path)
        assert later(clock, watched) == 1
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


def test_reading_is_bounded(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 4096)
    assert reload.read(str(path), 4096) == b"x" * 4096
    with pytest.raises(ValueError, match="is larger than 3 KiB"):
        reload.read(str(path), 3 * 1024)


@pytest.mark.parametrize("kind", ["device", "pipe", "folder"])
def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path, kind):
    path = tmp_path / "it"
    match kind:
        case "device":
            path.symlink_to("/dev/zero")
        case "pipe":
            os.mkfifo(path)
        case _:
            path.mkdir()
    refused = []
    reading = threading.Thread(target=lambda: refused.append(_refusal(path)), daemon=True)
    reading.start()
    reading.join(30)
    assert refused
    assert "is not a regular file" in refused[0] or f"Is a directory: '{path}'" in refused[0]


def _refusal(path):
    try:
        return f"read {len(reload.read(str(path), 4096))} bytes"
    except (OSError, ValueError) as error:
        return str(error)
