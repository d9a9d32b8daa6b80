from service.sessions.heap import LARGE_BYTES, TRIMS, Heap


def heap() -> tuple[Heap, list[bool]]:
    """Return a heap, and a list that grows whenever it returns memory."""
    trimmed: list[bool] = []

    def trim() -> bool:
        trimmed.append(True)
        return True

    return Heap(trim), trimmed


def test_memory_is_returned_a_few_times_after_a_large_turn():
    """Its caller may not have the last of it yet."""
    freeing, trimmed = heap()
    freeing.used(LARGE_BYTES + 1)
    freeing.used(1)
    assert [freeing.tidy() for _ in range(TRIMS + 1)] == [True] * TRIMS + [False]
    assert len(trimmed) == TRIMS


def test_small_turns_trim_nothing():
    freeing, trimmed = heap()
    freeing.used(LARGE_BYTES)
    assert not freeing.tidy()
    assert trimmed == []


def test_where_nothing_can_be_returned_it_says_so():
    freeing = Heap(lambda: False)
    freeing.used(LARGE_BYTES + 1)
    assert not freeing.tidy()


def test_a_refused_request_counts_as_a_large_turn():
    freeing, _ = heap()
    freeing.refused()
    assert [freeing.tidy() for _ in range(TRIMS + 1)] == [True] * TRIMS + [False]
