import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.wire import pieces as module
from service.wire.pieces import PIECE, pieces

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
@pytest.mark.parametrize("size", [3, PIECE])
def test_joined_they_are_what_the_encoder_writes(size, value):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE", size)
        assert b"".join(pieces(value)) == msgspec.json.encode(value)
        assert b"".join(pieces(value, ordered=True)) == msgspec.json.encode(value, order="deterministic")


@pytest.mark.parametrize(
    "value",
    ["\x01" * 2_000_000, {"a": "\x01" * 2_000_000}, [{"text": "\x01" * 1_000}] * 2_000],
    ids=["a string", "in an object", "many strings"],
)
def test_no_piece_is_much_larger_than_its_characters(value):
    assert max(map(len, pieces(value))) <= 6 * PIECE + 2


def test_a_reader_may_stop_at_any_piece():
    read = 0
    for piece in pieces({"a": "\x01" * 100_000_000}):
        read += len(piece)
        if read > 1_000_000:
            break
    assert read < 10_000_000
