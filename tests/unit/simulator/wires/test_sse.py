import json

import pytest

from simulator.scripts import Framing
from simulator.wires import sse

EVENT = {"type": "response.created", "text": "a\u2028b\n你"}
DATA = '{"type":"response.created","text":"a\u2028b\\n你"}'


@pytest.mark.parametrize(
    ("framing", "text"),
    [
        (Framing(), f"event: response.created\ndata: {DATA}\n\n"),
        (Framing(newline="\r\n"), f"event: response.created\r\ndata: {DATA}\r\n\r\n"),
        (Framing(comments=True), f": keep-alive\n\nevent: response.created\ndata: {DATA}\n\n"),
        (Framing(event_names=False), f"data: {DATA}\n\n"),
        (Framing(last_blank_line=False), f"event: response.created\ndata: {DATA}\n\n"),
    ],
)
def test_framings(framing, text):
    assert sse.encode(EVENT, framing) == text.encode()


def test_only_the_last_blank_line_can_be_missing():
    encoded = sse.encode(EVENT, Framing(last_blank_line=False), last=True)
    assert encoded == f"event: response.created\ndata: {DATA}\n".encode()


def test_data_over_several_lines_is_the_same_data():
    lines = sse.encode(EVENT, Framing(multiline=True)).decode().split("\n")
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert len(data) > 1
    assert json.loads("\n".join(data)) == EVENT
