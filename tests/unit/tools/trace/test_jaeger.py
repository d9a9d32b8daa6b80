import sys

import pytest

from tools.trace import jaeger


def test_the_named_program_comes_first(monkeypatch, tmp_path):
    program = tmp_path / "jaeger"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("JAEGER_BIN", "/named")
    assert jaeger.find() == "/named"
    monkeypatch.delenv("JAEGER_BIN")
    assert jaeger.find() == str(program)


def test_no_program_is_none(monkeypatch, tmp_path):
    for name in ("PATH", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("JAEGER_BIN", raising=False)
    assert jaeger.find() is None


def test_a_program_that_exits_is_an_error():
    with pytest.raises(jaeger.JaegerError, match=r"exited with code \d"), jaeger.running(sys.executable):
        pass
