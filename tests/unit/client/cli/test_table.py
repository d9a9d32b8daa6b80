from tests.unit.client.cli.fakes import session
from trunkline import RunningTurn, TrunklineError
from trunkline.cli.table import Replica, heading_and_rows, problems, summary

BLUE = Replica(
    "a:1",
    "blue",
    (
        session("s2", state="busy", turns=10, incremental=9, saved=123_456),
        session("s1", live=False, state="none"),
    ),
)
GREEN = Replica("b:1", "green", (session("s3", turns=1),))
GONE = Replica("c:1", error=TrunklineError("UNAVAILABLE", "gone"))


def test_all_replicas_by_session():
    assert heading_and_rows([GREEN, BLUE, GONE]) == [
        "SESSION  REPLICA  LINE  STATE  TURNS  INCREMENTAL     SAVED",
        "s1       blue     -     none       0            -       0 B",
        "s2       blue     open  busy      10         90 %  123.5 kB",
        "s3       green    open  idle       1          0 %       0 B",
    ]
    assert heading_and_rows([])[0].split()[0] == "SESSION"


def test_turns_stand_below_their_session():
    running = (RunningTurn("t1", "k1", None, True, False, 3), RunningTurn("", "", None, False, False, 0))
    busy = Replica("a:1", "blue", (session("s2"), session("s1", state="busy", running=running)))
    first, *turns, second = heading_and_rows([busy], 42)[1:]
    assert (first.split()[0], second.split()[0]) == ("s1", "s2")
    assert turns == ["  t1 · read · event 3 · key k1", "  waits for a place · nobody reads it · ev"]


def test_replicas_of_one_name_are_distinguished():
    twin = Replica("d:1", "blue", (session("s4"),))
    assert {line.split()[1] for line in heading_and_rows([BLUE, twin, GREEN])[1:]} == {"a:1", "d:1", "green"}


def test_a_narrow_terminal_cuts_ids_first():
    wide = Replica("a:1", "blue", (session("x" * 100, turns=7),))
    _, row = heading_and_rows([wide], 70)
    assert len(row) <= 70
    assert row.split()[0].endswith("…")
    assert row.split()[4] == "7"
    assert all(len(line) <= 10 for line in heading_and_rows([wide], 10))


def test_what_it_comes_to():
    assert summary([BLUE, GREEN, GONE]) == (
        "3 sessions on 2 replicas · 9 of 11 turns incremental (81 %) · 123.5 kB saved"
    )
    assert summary([GONE]) == "0 sessions on 0 replicas"
    assert problems([BLUE, GONE]) == ["c:1: UNAVAILABLE: gone"]
