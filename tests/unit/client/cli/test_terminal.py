import io
import json

import pytest

from tests.unit.client.cli.fakes import Recorded, Tty
from trunkline.cli.terminal import Terminal


@pytest.fixture(autouse=True)
def _colours(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_what_was_asked_for_and_what_is_about_it_go_apart():
    out, err = io.StringIO(), io.StringIO()
    terminal = Terminal(out, err)
    terminal.write(out, "half a line")
    terminal.note("a note")
    terminal.say("a line")
    assert (out.getvalue(), err.getvalue()) == ("half a line\na line\n", "a note\n")


def test_a_prompt_never_ends_up_in_a_file():
    err = Tty()
    assert Terminal(io.StringIO(), err).prompt("> ") == ""
    assert err.getvalue() == "> "
    assert Terminal(Tty(), Tty()).prompt("> ") == "> "
    assert Terminal(Tty(), Tty()).prompt("Approve \033[2J? ") == "Approve ␛[2J? "


def test_a_line_is_ended_once():
    terminal = Recorded()
    for piece in ("a", "b\n", ""):
        terminal.write(terminal.out, piece)
    terminal.fresh_line()
    terminal.fresh_line()
    assert terminal.text == "ab\n"


def test_colours_are_for_terminals(monkeypatch):
    assert Terminal.paint(io.StringIO(), "x", "dim") == "x"
    assert Terminal.paint(Tty(), "x", "dim") == "\033[2mx\033[0m"
    assert Terminal.paint(Tty(), "x") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Terminal.paint(Tty(), "x", "dim") == "x"


def test_no_text_steers_the_terminal():
    hostile = "a\033[2Jb\x07\x9bc\x7f\r\tnaïve 你好\n"
    assert Terminal.paint(Tty(), hostile) == "a␛[2Jb␇\ufffdc␡␍\tnaïve 你好\n"
    assert Terminal.paint(io.StringIO(), hostile) == hostile


def test_lines_break_between_words_on_a_terminal_only(monkeypatch):
    monkeypatch.setenv("COLUMNS", "12")
    for stream, written in (
        (Tty(), "one two\nthree␛four\nfive\n"),
        (io.StringIO(), "one two three\x1bfour five\n"),
    ):
        terminal = Recorded(stream)
        for piece in ("one t", "wo thr", "ee\x1bfour", " five"):
            terminal.write(terminal.out, piece)
        terminal.fresh_line()
        assert terminal.text == written


def test_a_word_that_waits_keeps_its_style(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Recorded(Tty())
    terminal.write(terminal.err, "→ look ", "cyan")
    terminal.write(terminal.err, "{}", "dim")
    terminal.note("done", "dim")
    assert terminal.text == "\033[36m→ look\033[0m\033[2m {}\033[0m\n\033[2mdone\033[0m\n"


def test_a_record_is_one_line_to_everybody():
    terminal = Recorded()
    record = {"type": "x", "text": "a\u2028b\x85c\n 你"}
    terminal.record(record)
    assert terminal.text.isascii()
    assert len(terminal.text.splitlines()) == 1
    assert json.loads(terminal.text) == record
