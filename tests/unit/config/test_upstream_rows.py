"""What each upstream has of the settings, and what is made of it."""

from service.config.settings import Settings, load
from service.config.upstream_rows import UpstreamRows
from service.domain.key_source import KeySource

KEY = {"OPENAI_API_KEY": "sk-secret"}


def test_the_addresses_of_the_upstream():
    plain = load({"TRUNKLINE_UPSTREAM_URL": "http://localhost:8080/v1"})
    assert (plain.http_url, plain.ws_url) == (
        "http://localhost:8080/v1/responses",
        "ws://localhost:8080/v1/responses",
    )
    assert load(KEY).ws_url == "wss://api.openai.com/v1/responses"
    queried = load(KEY | {"TRUNKLINE_UPSTREAM_URL": "https://host/openai/v1?api-version=1&x=y"})
    assert queried.ws_url == "wss://host/openai/v1/responses?api-version=1&x=y"
    assert queried.compact_url == "https://host/openai/v1/responses/compact?api-version=1&x=y"


def test_the_only_upstream_has_one_key_and_each_of_the_file_its_own():
    assert load(KEY).keys == (KeySource("sk-secret"),)
    assert Settings(upstream_key_file="/k").keys == (KeySource(file="/k"),)
    own = (KeySource("a"), KeySource("b"))
    assert Settings(openai_api_key="k", own_keys=own).keys == own


def test_they_are_part_of_all_settings():
    assert issubclass(Settings, UpstreamRows)
    assert not UpstreamRows().cooldown_given
