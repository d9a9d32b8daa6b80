from collections import Counter
from random import Random

import pytest

from service.domain.errors import Reason, SettingsError, TurnError
from service.domain.key_source import KeySource
from service.domain.tenant import Credential
from service.transport.credentials import MAX_KEY_BYTES, Keys
from tests.parts import upstream_settings


def test_the_services_own_key_pays_by_default():
    keys = Keys(upstream_settings(openai_api_key="own"))
    assert keys.headers(None) == {"Authorization": "Bearer own"}


def test_several_keys_share_by_their_weights():
    sources = (KeySource("one", weight=3), KeySource("two"))
    keys = Keys(upstream_settings(name="azure", own_keys=sources), Random(7))
    sent = Counter(keys.headers(None)["Authorization"] for _ in range(400))
    assert sent.keys() == {"Bearer one", "Bearer two"}
    assert 2.4 < sent["Bearer one"] / sent["Bearer two"] < 3.6


def test_an_unusable_key_file_names_its_upstream(tmp_path):
    with pytest.raises(SettingsError, match="a key of upstream azure cannot be used"):
        Keys(upstream_settings(name="azure", own_keys=(KeySource(file=str(tmp_path / "none")),)))


def test_a_callers_key_replaces_the_services_own():
    keys = Keys(upstream_settings(openai_api_key="own", caller_keys=True))
    assert keys.headers(Credential("theirs")) == {"Authorization": "Bearer theirs"}


def test_the_header_is_the_one_that_the_upstream_reads():
    keys = Keys(upstream_settings(openai_api_key="own", upstream_key_header="api-key", caller_keys=True))
    assert keys.headers(None) == {"api-key": "own"}
    assert keys.headers(Credential("theirs")) == {"api-key": "theirs"}


def test_without_any_key_no_header_is_sent():
    assert Keys(upstream_settings()).headers(None) == {}


def test_a_caller_must_bring_a_key_where_there_is_none():
    keys = Keys(upstream_settings(caller_keys=True))
    with pytest.raises(TurnError, match="x-upstream-key") as caught:
        keys.check(None)
    assert caught.value.reason is Reason.UNAUTHENTICATED
    keys.check(Credential("theirs"))


@pytest.mark.parametrize("settings", [{}, {"openai_api_key": "own", "caller_keys": True}])
def test_a_caller_may_bring_none_where_it_is_not_needed(settings):
    Keys(upstream_settings(**settings)).check(None)


def test_a_key_of_a_file_is_read_without_its_line_end(tmp_path):
    file = tmp_path / "key"
    file.write_text("of-the-file\n")
    keys = Keys(upstream_settings(upstream_key_file=str(file), openai_api_key="own"))
    assert keys.headers(None) == {"Authorization": "Bearer of-the-file"}


@pytest.mark.parametrize("content", ["", "\n", "two s3cret", "s3cret" * MAX_KEY_BYTES])
def test_an_invalid_key_file_is_named_without_its_content(tmp_path, content):
    file = tmp_path / "key"
    file.write_text(content)
    with pytest.raises(SettingsError) as caught:
        Keys(upstream_settings(upstream_key_file=str(file)))
    assert "TRUNKLINE_UPSTREAM_KEY_FILE" in str(caught.value)
    assert "s3cret" not in str(caught.value)
