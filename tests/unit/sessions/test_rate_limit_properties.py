"""Whatever happens in whatever order, a bucket says what exact arithmetic says."""

from fractions import Fraction
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import TurnError
from service.domain.tenant import Caller, Rates
from service.sessions.rate_limits import MAX_WAIT_S, MINUTE_S, RateLimits

CLOSE = 1e-6
"""How far floats may be from fractions, as a share of the limit."""

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pause"), st.integers(0, 200_000)),  # milliseconds
        st.tuples(st.just("spend"), st.integers(0, 10**7)),
        st.tuples(st.just("limit"), st.integers(1, 10**6)),
        st.tuples(st.just("ask"), st.just(0)),
    ),
    max_size=30,
)


class Exact:
    """A bucket of tokens a minute, in fractions."""

    def __init__(self, most: int) -> None:
        self.most, self.used = most, Fraction(0)

    def pause(self, milliseconds: int) -> None:
        self.used = max(Fraction(0), self.used - Fraction(milliseconds * self.most, 60_000))

    def spend(self, number: int) -> None:
        self.used = min(self.used + number, self.most + self.most * Fraction(MAX_WAIT_S) / Fraction(MINUTE_S))

    def resize(self, most: int) -> None:
        self.most = most
        self.spend(0)

    @property
    def wait_s(self) -> Fraction:
        return max(Fraction(0), (1 - self.most + self.used) * 60 / self.most)


@given(most=st.integers(1, 10**6), steps=STEPS)
def test_a_refusal_names_the_exact_time(most, steps):
    now = [1_000.0]
    limits, exact = RateLimits(lambda: now[0]), Exact(most)

    def caller() -> Caller:
        return Caller("a", rates=Rates(tokens_per_minute=exact.most))

    limits.check(caller())
    for what, number in steps:
        if what == "pause":
            now[0] += number / 1000
            exact.pause(number)
        elif what == "spend":
            limits.spend(caller(), SimpleNamespace(tokens=number))
            exact.spend(number)
        elif what == "limit":
            exact.resize(number)
        waited = None
        try:
            limits.check(caller())
        except TurnError as error:
            waited = error.retry_after
        assert abs((waited or 0.0) - float(exact.wait_s)) <= 0.001 + CLOSE * 60
