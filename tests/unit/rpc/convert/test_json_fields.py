"""JSON in strings is checked as it is passed on: whole, and without building it."""

import pytest

from service.rpc.convert.json_fields import Named, check_json, keys, named

BAD = ["", "{", "nonsense", '{"type":"a"} and more', '{"type":"a","b":"\\x"}', '{"a":NaN}', '{"a":01}']
TOO_DEEP = '{"type":"a","b":' + "[" * 100_000 + "]" * 100_000 + "}"


@pytest.mark.parametrize("check", [named, keys, check_json])
@pytest.mark.parametrize("text", [*BAD, TOO_DEEP], ids=[*map(repr, BAD), "too deep"])
def test_what_is_not_json_is_refused(check, text):
    with pytest.raises(ValueError, match=r"is not valid JSON|nested too deep|more than 50000 colons"):
        check(text)


@pytest.mark.parametrize("text", ["[]", '"a"', "1", "null", '{"type":1}'])
def test_what_has_no_type_is_refused(text):
    with pytest.raises(ValueError, match="is not what it should be"):
        named(text)


@pytest.mark.parametrize("text", ['\n [{"type":"url_citation"}]', "{}", "1"])
def test_any_json_is_json(text):
    check_json(text)


def test_type_and_name_are_found_among_other_keys():
    assert named('{"a":[{"type":"no"}],"name":"f","type":"custom"}') == Named("custom", "f")
    assert named('{"id":"msg_1","type":null}') == Named()


def test_only_the_keys_at_the_top_are_found():
    assert list(keys('{"a":{"b":1},"c":[]}')) == ["a", "c"]


def test_too_many_keys_are_refused_before_they_are_read():
    with pytest.raises(ValueError, match="more than 50000"):
        keys("{" + ",".join(f'"{n}":0' for n in range(50_001)) + "}")
