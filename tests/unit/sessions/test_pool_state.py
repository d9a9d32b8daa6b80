"""Each request for a line, in the order in which the books look."""

from typing import Any

from service.domain.tenant import Caller, Credential
from service.sessions.pool_state import Books, Decision
from tests.unit.sessions.conftest import ANYBODY, dial, fake_line, session


def with_idle(books: Books, owner) -> Any:
    assert books.request(owner, ANYBODY).dial
    line = fake_line()
    dial(books, owner, line)
    books.release(line, owner)
    return line


def test_a_new_session_gets_a_place_to_dial_in():
    books = Books(1)
    assert books.request(session(), ANYBODY) == Decision(dial=True)
    assert books.dialing == 1


def test_the_session_s_own_line_comes_first():
    books, owner = Books(4), session()
    line = with_idle(books, owner)
    with_idle(books, session("other"))
    assert books.request(owner, ANYBODY) == Decision(line=line)


def test_an_own_line_that_is_not_fit_is_replaced_and_closed():
    books, owner = Books(4), session()
    line = with_idle(books, owner)
    line.fit = False
    assert books.request(owner, ANYBODY) == Decision(dial=True, close=(line,))
    assert owner.line is None


def test_a_spare_serves_who_has_none():
    books = Books(4)
    assert books.reserve_spare(1)
    spare = fake_line()
    books.dialed(spare, None)
    books.release(spare, None)
    assert books.spares == 1
    assert books.request(session(), ANYBODY) == Decision(line=spare)
    assert books.spares == 0


def test_a_spare_that_is_not_fit_is_closed():
    books = Books(1)
    books.reserve_spare(1)
    spare = fake_line()
    books.dialed(spare, None)
    books.release(spare, None)
    spare.fit = False
    assert books.request(session(), ANYBODY) == Decision(dial=True, close=(spare,))


def test_a_full_pool_gives_up_the_idle_line_that_was_used_longest_ago():
    books, first, second = Books(2), session("1"), session("2")
    line = with_idle(books, first)
    with_idle(books, second)
    assert books.request(session("3"), ANYBODY) == Decision(dial=True, close=(line,))
    assert first.line is None
    assert second.line is not None


def test_lines_in_use_are_never_taken():
    books = Books(1)
    books.request(session("1"), ANYBODY)
    dial(books, None, fake_line())
    assert books.request(session("2"), ANYBODY) == Decision()
    assert books.full


def test_a_fork_has_no_line_of_its_own():
    books, owner = Books(4), session()
    with_idle(books, owner)
    assert books.request(None, ANYBODY) == Decision(dial=True)


def test_spares_never_cost_another_line():
    books = Books(1)
    with_idle(books, session())
    assert not books.reserve_spare(1)


def test_spares_are_as_many_as_wanted():
    books = Books(9)
    assert books.reserve_spare(2)
    assert books.reserve_spare(2)
    assert not books.reserve_spare(2)


def test_a_dial_that_failed_gives_its_place_back():
    books = Books(1)
    books.request(session(), ANYBODY)
    books.dialed(None, "")
    assert not books.full


def test_a_line_that_closes_while_idle_is_forgotten():
    books, owner = Books(1), session()
    line = with_idle(books, owner)
    assert books.forget(line) is owner
    assert owner.line is None
    assert books.forget(line) is None
    assert not books.full


def test_worn_lines_are_taken_out_and_none_that_only_owes_an_answer():
    books = Books(2)
    old = with_idle(books, session("1"))
    with_idle(books, session("2")).fit = False
    old.worn = True
    assert books.worn() == [old]
    assert books.idle == 1


def test_repr_tells_the_counts():
    books = Books(3)
    with_idle(books, session())
    books.request(session("2"), ANYBODY)
    assert repr(books) == "Books(0 leased, 1 idle, 1 dialing, limit 3)"
    assert len(books.lines()) == 1
    assert books.leased == 0


def test_who_wants_no_spare_gets_none():
    books = Books(2)
    spare = fake_line()
    assert books.reserve_spare(1)
    books.dialed(spare, None)
    books.release(spare, None)
    assert books.request(session(), Caller(key=Credential("k"))) == Decision(dial=True)
    assert books.spares == 1
