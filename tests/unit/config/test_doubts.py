from service.config.doubts import doubts
from service.config.settings import load

KEY = {"OPENAI_API_KEY": "sk-secret"}


def test_what_is_allowed_and_probably_not_meant_is_named_without_the_token():
    long = "0123456789abcdef"
    environ = KEY | {
        "TRUNKLINE_AUTH_TOKENS": f"{long}=one,sh0rt=two,{long}-the-tenant={long}-the-tenant",
        "TRUNKLINE_MAX_TURN": "",
        "TRUNKLINE_MAX_TURNS": "",
    }
    unknown, short, same = doubts(load(environ), environ)
    assert unknown.startswith("TRUNKLINE_MAX_TURN is not a setting; did you mean TRUNKLINE_MAX_TURNS?")
    assert "entry 2 has fewer than 16 characters" in short
    assert "entry 3 is the tenant's name" in same
    assert "sh0rt" not in short
    assert long not in same


def test_nothing_is_in_doubt_where_everything_is_right():
    environ = KEY | {"TRUNKLINE_AUTH_TOKENS": "0123456789abcdef=one"}
    assert list(doubts(load(environ), environ)) == []
