from dataclasses import dataclass, fields

import pytest

from service.config import rows


@dataclass
class Table:
    wait_s: float = rows.seconds("0.5", "A wait.", own=True)
    zero_s: float = rows.seconds("0", "A wait.", zero=True)
    places: int = rows.count("7", "Places.", "bytes")
    word: str = rows.setting(str, "hush", "A word.", secret=True)


ROWS = {field.name: field for field in fields(Table)}


def test_defaults_are_parsed_as_values_are():
    assert (Table().wait_s, Table().zero_s, Table().places) == (0.5, 0.0, 7)
    with pytest.raises(ValueError, match="more than 0"):
        ROWS["wait_s"].metadata["parse"]("0")


def test_a_row_says_its_unit_whether_upstreams_have_their_own_and_no_secret():
    assert [row.metadata["unit"] for row in ROWS.values()] == ["s", "s", "bytes", ""]
    assert [bool(row.metadata.get("own")) for row in ROWS.values()] == [True, False, False, False]
    assert "hush" not in repr(Table())
