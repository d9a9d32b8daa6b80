import pytest
from websockets.frames import Frame, Opcode

from service.transport.frames import frame_end


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_frame_ends_where_the_library_ends_it(size, mask):
    frame = Frame(Opcode.TEXT, b"x" * size).serialize(mask=mask)
    assert frame_end(b"?" + frame + b"next", 1) == 1 + len(frame)


@pytest.mark.parametrize(("size", "header"), [(1, 2), (126, 4), (65_536, 10)])
def test_an_incomplete_header_has_no_end(size, header):
    frame = Frame(Opcode.TEXT, b"x" * size).serialize(mask=False)
    assert frame_end(frame[: header - 1], 0) == 0
    assert frame_end(frame[:header], 0) == len(frame)
