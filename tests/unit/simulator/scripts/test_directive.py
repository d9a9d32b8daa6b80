import pytest

from simulator.errors import ApiError
from simulator.scripts import directive
from simulator.scripts.directive import Directive


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hello.", None),
        ("", None),
        ("sim:", None),
        ("sim:echo", Directive("echo")),
        ("Please, sim:echo and no more.", Directive("echo")),
        ("sim:words()", Directive("words")),
        ("sim:words(n=3)", Directive("words", {"n": "3"})),
        ("sim:slow( n = 3 , delay_ms=1.5 )", Directive("slow", {"n": "3", "delay_ms": "1.5"})),
        ("sim:say(text=Hello, world)", Directive("say", {"text": "Hello, world"})),
        ("sim:say(text=a, b, phase=commentary)", Directive("say", {"text": "a, b", "phase": "commentary"})),
        ('sim:say(text="f(x), y=1")', Directive("say", {"text": "f(x), y=1"})),
        ("sim:say(text=)", Directive("say", {"text": ""})),
        ("sim:a sim:b", Directive("a")),
    ],
)
def test_find(text, found):
    assert directive.find(text) == found


def test_without():
    assert directive.without("  Hello, sim:echo(a=b) world. ") == "Hello,  world."


def test_read_refuses_text_without_a_directive():
    assert directive.read("sim:echo") == Directive("echo")
    with pytest.raises(ApiError, match="Not a simulator directive"):
        directive.read("echo")
