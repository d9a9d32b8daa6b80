from pathlib import Path

import pytest

from tools import generate_protos


@pytest.fixture
def copy(tmp_path, monkeypatch):
    folder = tmp_path / "gen"
    folder.mkdir()
    monkeypatch.setattr(generate_protos, "COPIES", (folder,))
    return folder


def test_changed_missing_and_superfluous_files_are_found(copy):
    (copy / "same.py").write_bytes(b"1")
    (copy / "changed.py").write_bytes(b"old")
    (copy / "superfluous.py").write_bytes(b"1")
    wanted = {Path("same.py"): b"1", Path("changed.py"): b"new", Path("missing.py"): b"1"}
    assert generate_protos.differences(wanted) == {
        copy / "changed.py": b"new",
        copy / "missing.py": b"1",
        copy / "superfluous.py": None,
    }


def test_written_copies_have_no_differences(copy):
    wanted = {Path("trunkline/v1/a.py"): b"1"}
    (copy / "superfluous.py").write_bytes(b"1")
    for path, content in generate_protos.differences(wanted).items():
        generate_protos.write(path, content)
    assert generate_protos.differences(wanted) == {}
    assert [path.name for path in copy.rglob("*.py")] == ["a.py"]


def test_what_is_committed_matches_the_protos():
    assert generate_protos.all_differences() == {}


def test_a_descriptor_set_of_other_protos_is_found(tmp_path, monkeypatch):
    old = tmp_path / "old.binpb"
    monkeypatch.setattr(generate_protos, "DESCRIPTORS", old)
    [wanted] = generate_protos.all_differences().values()
    assert wanted is not None
    old.write_bytes(wanted[:-1])
    assert generate_protos.all_differences() == {old: wanted}
