from service.wire.tally import MAX_KIND_CHARACTERS, MAX_KINDS, REST, Tally


def test_it_counts_by_kind():
    tally = Tally()
    for kind in ("a", "b", "a"):
        tally.note(kind)
    assert tally == {"a": 2, "b": 1}


def test_a_skipped_field_has_a_kind_of_its_own():
    tally = Tally()
    tally.skip("usage.output_tokens")
    assert tally == {"field:usage.output_tokens": 1}


def test_it_does_not_grow_for_ever():
    tally = Tally()
    for number in range(MAX_KINDS * 10):
        tally.note(f"{number}" + "x" * 1000)
    assert len(tally) == MAX_KINDS + 1
    assert tally[REST] == MAX_KINDS * 9
    assert max(map(len, tally)) == MAX_KIND_CHARACTERS
