from contextlib import contextmanager, nullcontext

import pytest

from tools.demo import conversation
from tools.trace import __main__ as program
from tools.trace import jaeger, receiver


def test_without_a_jaeger_it_draws_the_trees_and_says_how_to_get_one(monkeypatch, capsys):
    def spans(service):
        return [
            {
                "spanID": name,
                "operationName": program.TURN,
                "processID": service,
                "startTime": 1,
                "duration": 2000,
                "references": [],
                "tags": [],
                "logs": [],
            }
            for name in ("a", "b")
        ]

    def demo(_):
        [collector] = collectors
        trace = {"traceID": "t1", "processes": {"demo": {"serviceName": "demo"}}, "spans": spans("demo")}
        trace["processes"]["trunkline"] = {"serviceName": "trunkline"}
        collector._traces["t1"] = trace
        return 0

    collectors = []
    receive = receiver.running

    @contextmanager
    def noted():
        with receive() as collector:
            collectors.append(collector)
            yield collector

    monkeypatch.setattr(jaeger, "find", lambda: None)
    monkeypatch.setattr(receiver, "running", noted)
    monkeypatch.setattr(program, "traced", lambda _: nullcontext())
    monkeypatch.setattr(conversation, "run", demo)
    monkeypatch.setattr("sys.argv", ["trace"])
    assert program.main() == 0
    said = capsys.readouterr().out
    assert "turn 1  trace t1" in said
    assert f"{program.TURN}  (demo)" in said
    assert "JAEGER_BIN" in said


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

    class Collector(receiver.Receiver):
        def traces(self, service):
            assert service in (program.CALLER, program.SERVICE)
            return [trace(program.TURN, "chat", program.TURN)]

    assert program.turns_of(Collector()) == [trace(program.TURN, "chat", program.TURN)]
