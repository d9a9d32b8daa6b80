import pytest

from tools.demo.screen import INDENT, WIDTH, Screen, milliseconds, size


def test_text_is_wrapped_at_words(capsys):
    screen = Screen()
    screen.speaker("model")
    for piece in ("wo", "rd " + "word " * 29, "last"):
        screen.stream(piece)
    screen.said("you", "word " * 30)
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= WIDTH for line in lines)
    assert " ".join(lines).split() == ["model", *["word"] * 30, "last", "you", *["word"] * 30]
    assert lines[-1].startswith(" " * INDENT)


def test_a_table_is_aligned(capsys):
    Screen().table([("turn", "sent"), ("1 first", "2 B")])
    assert capsys.readouterr().out == "  turn     sent\n  1 first  2 B\n"


def test_no_colours_without_a_terminal(capsys):
    Screen().line("plain", "red")
    assert capsys.readouterr().out == "plain\n"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12345, "12.3 kB")]
)
def test_sizes(count, text):
    assert size(count) == text


def test_an_unknown_time_is_a_dash():
    assert (milliseconds(None), milliseconds(0.0123)) == ("-", "12 ms")
