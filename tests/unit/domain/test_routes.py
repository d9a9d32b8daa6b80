import pytest

from service.domain.routes import Routes, Rule, Served, Stop

OPENAI = Served("openai", ("gpt-5*", "o4-mini"))
AZURE = Served("azure", (), (("gpt-5", "my-deployment"),))
ROUTES = Routes([OPENAI, AZURE], [Rule(("azure",), ("gpt-5*",), ("eu",))])


@pytest.mark.parametrize(
    ("tenant", "model", "stops"),
    [
        ("search", "gpt-5", [("openai", "gpt-5"), ("azure", "my-deployment")]),
        ("search", "gpt-5-mini", [("openai", "gpt-5-mini")]),
        ("search", "gpt-4", []),
        ("eu", "gpt-5", [("azure", "my-deployment")]),
        ("eu", "o4-mini", [("openai", "o4-mini")]),
        ("eu", "gpt-5-mini", []),
        ("europe", "gpt-5-mini", [("openai", "gpt-5-mini")]),
    ],
)
def test_the_example_of_the_module(tenant, model, stops):
    assert ROUTES.order(tenant, model) == tuple(Stop(*stop) for stop in stops)


def test_no_model_is_served_by_each_and_only_a_rule_about_all_models_decides():
    assert ROUTES.order("eu", "") == (Stop("openai", ""), Stop("azure", ""))
    assert Routes([OPENAI, AZURE], [Rule(("azure",))]).order("eu", "") == (Stop("azure", ""),)


@pytest.mark.parametrize(
    ("named", "asked", "model", "becomes"),
    [
        ("vendor/*", "*", "vendor/gpt-5", "gpt-5"),
        ("gpt-*", "eu.gpt-*", "gpt-5", "eu.gpt-5"),
        ("gpt-*", "one-deployment", "gpt-5", "one-deployment"),
        ("*-mini", "small/*", "gpt-5-mini", "small/gpt-5"),
        ("gpt-?-*-eu", "*", "gpt-5-mini-eu", "mini"),
        ("*/gpt-*", "the-*", "azure/gpt-5", "the-*"),
        ("gpt-5", "literal*", "gpt-5", "literal*"),
    ],
)
def test_a_name_is_replaced_and_what_a_star_stands_for_is_kept(named, asked, model, becomes):
    assert Served("a", (), ((named, asked),)).asked(model) == becomes


@pytest.mark.parametrize(
    ("glob", "fitting", "others"),
    [
        ("gpt-5", ["gpt-5"], ["GPT-5", "gpt-50", "", "xgpt-5"]),
        ("*-mini", ["gpt-5-mini", "-mini"], ["gpt-5-mini-2", "mini"]),
        ("gpt-?", ["gpt-5", "gpt-4"], ["gpt-", "gpt-5o"]),
        ("gpt-[45]*", ["gpt-4", "gpt-5-mini"], ["gpt-3"]),
        ("g*t*5*", ["gpt-5", "g-t-5-x"], ["gpt-4"]),
    ],
)
def test_models_and_tenants_are_named_by_globs(glob, fitting, others):
    served, rule = Served("a", (glob,)), Rule(("a",), tenants=(glob,))
    assert [served.asked(one) for one in fitting] == fitting
    assert all(rule.fits(one, "m") for one in fitting)
    assert not any(rule.fits(one, "m") for one in others)
    assert not any(served.asked(one) for one in others)


def test_a_glob_of_many_stars_takes_no_long_time():
    """A regular expression that backtracks would try some 10^40 ways."""
    assert not Rule(("a",), models=("*a" * 100 + "b",)).fits("t", "a" * 256)


def test_the_first_pair_counts_and_renaming_comes_before_serving():
    served = Served("a", ("*",), (("gpt-5", "one"), ("gpt-*", "two")))
    assert [served.asked(model) for model in ("gpt-5", "gpt-4", "o4")] == ["one", "two", "o4"]


def test_the_first_rule_that_fits_decides_in_its_own_order():
    routes = Routes(
        [Served("a"), Served("b")], [Rule(("b", "a"), tenants=("x*",)), Rule(("a",), models=("m",))]
    )
    assert [stop.upstream for stop in routes.order("x1", "m")] == ["b", "a"]
    assert [stop.upstream for stop in routes.order("y", "m")] == ["a"]
    assert [stop.upstream for stop in routes.order("y", "n")] == ["a", "b"]
    assert repr(routes) == "Routes(a, b; 2 rules)"
