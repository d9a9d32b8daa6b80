import pytest

from trunkline.cli.wrapping import Wrapping

TEXT = "The tide is at 2.4 m today,  and  slack water\n\n  - at noon\tand at six. "


def wrapped(text, columns, step=None):
    wrapping = Wrapping(lambda: columns)
    pieces = [text[at : at + (step or len(text))] for at in range(0, len(text), step or len(text))]
    return "".join(wrapping.feed(piece) for piece in pieces) + wrapping.flush()


def test_lines_break_between_words():
    assert wrapped("one two three four", 9).splitlines() == ["one two", "three", "four"]
    assert wrapped("one two", 7) == "one two"
    assert wrapped("one two", 6) == "one\ntwo"


@pytest.mark.parametrize("columns", [1, 5, 9, 10, 11, 24, 200])
@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_the_pieces_do_not_matter(columns, step):
    whole = wrapped(TEXT, columns)
    assert wrapped(TEXT, columns, step) == whole
    assert whole.split() == TEXT.split()
    assert all(len(line.expandtabs()) <= columns for line in whole.splitlines() if len(line.split()) > 1)


@pytest.mark.parametrize("columns", [1, 5, 10, 24])
@pytest.mark.parametrize("step", [1, 2, 5])
def test_nor_do_they_in_other_scripts_and_in_long_words(columns, step):
    text = f"潮汐 today很高 {'x' * 30}汐\n{'y' * 12} z"
    whole = wrapped(text, columns)
    assert wrapped(text, columns, step) == whole
    assert "".join(whole.split()) == "".join(text.split())


def test_what_fits_is_as_it_was():
    assert wrapped(TEXT, 200) == TEXT.rstrip()
    assert wrapped("a\n\n\n b \n", 80) == "a\n\n\n b\n"


def test_a_word_waits_for_its_end():
    wrapping = Wrapping(lambda: 80)
    assert [wrapping.feed(piece) for piece in ("On", "e t", "wo", "\n")] == ["", "One", "", " two\n"]
    assert wrapping.flush() == ""


def test_what_is_wider_than_a_line_is_left_to_the_terminal():
    assert wrapped("x" * 25 + " y", 10) == "x" * 25 + " y"  # the terminal begins its third line
    assert wrapped("x" * 25 + " yyyyy", 10) == "x" * 25 + "\nyyyyy"
    assert wrapped("a " + "x" * 25, 10) == "a\n" + "x" * 25


def test_columns_are_not_characters():
    assert wrapped("你好 ab", 6) == "你好\nab"
    assert wrapped("cafe\u0301 ab", 7) == "cafe\u0301 ab"
    assert wrapped("a\tb", 9) == "a\tb"
    assert wrapped("a\tb", 8) == "a\nb"


def test_a_text_without_spaces_waits_for_none():
    wrapping = Wrapping(lambda: 8)
    assert [wrapping.feed(piece) for piece in ("潮汐", "很高。今", "天")] == ["潮汐", "很高\n。今", "天"]
    assert wrapped("ab你好cd", 5) == "ab你\n好cd"
    assert "".join(wrapping.feed("x" * 100) for _ in range(3)) == "\n" + "x" * 297  # three wait for the next
    assert wrapping.flush() == "xxx"


def test_a_window_may_change():
    sizes = iter([80, 5])
    wrapping = Wrapping(lambda: next(sizes))
    assert [wrapping.feed("one two "), wrapping.feed("three ")] == ["one two", "\nthree"]
