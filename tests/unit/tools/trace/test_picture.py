from xml.etree import ElementTree

from tools.trace import picture
from tools.trace.tree import Span


def span(name, start, duration, children=()):
    tags = {"span.kind": "server"}
    return Span(name, name, "trunkline", start, duration, tags, [(0.001, "sent")], (), list(children))


def test_each_span_is_a_bar_within_the_frame():
    """The picture is well-formed, whatever characters a name contains."""
    turn = span("call", 0.001, 0.009, [span("server", 0.002, 0.007, [span("chat <m>", 0.003, 0.005)])])
    root = ElementTree.fromstring(picture.draw([("A turn", turn), ("Another", span("stray", 0.0025, 0.0))]))
    assert len(root.findall("{*}rect")) == 1 + 4
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for shape in root.findall("{*}rect")[1:]:
        x, y, wide, high = (float(shape.get(name, 0)) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + wide <= width
        assert 0 <= y <= y + high <= height
    assert "chat <m>" in "".join(root.itertext())
