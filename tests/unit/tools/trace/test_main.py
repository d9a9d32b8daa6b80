import pytest

from tools.trace import __main__ as program
from tools.trace import jaeger


def test_without_a_jaeger_it_says_how_to_get_one(monkeypatch, capsys):
    monkeypatch.setattr(jaeger, "find", lambda: None)
    monkeypatch.setattr("sys.argv", ["trace"])
    assert program.main() == 1
    assert "JAEGER_BIN" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "a.test"}, "a.test,127.0.0.1,localhost"),
        ({"NO_PROXY": "a.test", "no_proxy": "b.test"}, "b.test,127.0.0.1,localhost"),
    ],
)
def test_loopback_needs_no_proxy_and_other_hosts_may(environ, expected):
    assert program.without_proxy(environ) == expected


def test_a_trace_is_complete_with_both_sides():
    def trace(*names):
        return {"spans": [{"operationName": name} for name in names]}

    class Collector(jaeger.Jaeger):
        def traces(self, service, limit=100):
            assert service in (program.CALLER, program.SERVICE)
            return [trace(program.TURN, "chat", program.TURN)]

    assert program.turns_of(Collector("", "", "")) == [trace(program.TURN, "chat", program.TURN)]
