"""Settings that are sound by themselves and not together."""

import pytest

from service.config.settings import load
from service.domain.errors import SettingsError

KEY = {"OPENAI_API_KEY": "sk-secret"}


def problems_of(environ):
    with pytest.raises(SettingsError) as caught:
        load(KEY | environ)
    return caught.value.problems


def test_an_https_upstream_needs_the_key():
    with pytest.raises(SettingsError, match="OPENAI_API_KEY is not set"):
        load({})
    assert load({"TRUNKLINE_UPSTREAM_URL": "http://localhost/v1"}).openai_api_key == ""
    assert load({"TRUNKLINE_UPSTREAM_KEY_FILE": "key"}).upstream_key_file == "key"
    assert load({"TRUNKLINE_CALLER_KEYS": "1"}).caller_keys


JWT = {"TRUNKLINE_JWT_ISSUER": "i", "TRUNKLINE_JWT_AUDIENCE": "a", "TRUNKLINE_JWT_JWKS": "jwks.json"}
TLS = {"TRUNKLINE_TLS_CERT": "c.pem", "TRUNKLINE_TLS_KEY": "k.pem"}


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.org:1"])
@pytest.mark.parametrize(
    "proof",
    [
        {"TRUNKLINE_AUTH_TOKENS": "a=one"},
        {"TRUNKLINE_AUTH_FILE": "a.toml"},
        {"TRUNKLINE_TLS_CLIENT_CA": "ca.pem"} | TLS,
        JWT,
    ],
)
def test_beyond_loopback_only_with_authentication_and_tls_or_on_purpose(listen, proof):
    environ = {"TRUNKLINE_LISTEN": listen}
    nobody, plain = problems_of(environ)
    assert "nobody would have to say who they are" in nobody
    assert "calls would cross the network as they are" in plain
    assert problems_of(environ | TLS) == (nobody,)
    assert load(KEY | environ | TLS | proof).listen == listen
    if "TRUNKLINE_TLS_CERT" not in proof:
        assert problems_of(environ | proof) == (plain,)
    assert load(KEY | environ | {"TRUNKLINE_ALLOW_INSECURE": "1"}).listen == listen


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"TRUNKLINE_UPSTREAM_KEY_FILE": "k"}, "are both set; keep one"),
        ({"TRUNKLINE_TLS_CERT": "c"}, "go together"),
        ({"TRUNKLINE_TLS_KEY": "k"}, "go together"),
        ({"TRUNKLINE_TLS_CLIENT_CA": "ca"}, "TRUNKLINE_TLS_CLIENT_CA needs"),
        (
            {"TRUNKLINE_JWT_ISSUER": "i"},
            "TRUNKLINE_JWT_ISSUER needs TRUNKLINE_JWT_AUDIENCE and TRUNKLINE_JWT_JWKS; set all three or none",
        ),
        (
            JWT | {"TRUNKLINE_JWT_AUDIENCE": ""},
            "TRUNKLINE_JWT_ISSUER needs TRUNKLINE_JWT_AUDIENCE; set all three or none",
        ),
        ({"TRUNKLINE_JWT_MODELS_CLAIM": "m"}, "TRUNKLINE_JWT_MODELS_CLAIM needs TRUNKLINE_JWT_ISSUER and "),
    ],
)
def test_what_does_not_go_together_is_refused(environ, says):
    (problem,) = problems_of(environ)
    assert says in problem


@pytest.mark.parametrize(
    "name", ["UPSTREAM_URL", "UPSTREAM_KEY_FILE", "UPSTREAM_KEY_HEADER", "UPSTREAM_HEADERS"]
)
def test_the_file_and_what_says_where_the_only_upstream_is_are_refused_together(name):
    value = {"UPSTREAM_URL": "http://localhost/v1", "UPSTREAM_HEADERS": "a=b"}.get(name, "x")
    environ = {"TRUNKLINE_UPSTREAMS_FILE": "u.toml"}
    with pytest.raises(SettingsError, match=f"TRUNKLINE_{name} are both set"):
        load(environ | {f"TRUNKLINE_{name}": value})
    assert load(environ).upstreams_file == "u.toml", "the key of the only upstream is not needed"


def test_more_spares_than_connections_are_refused():
    environ = {"TRUNKLINE_WARM_SPARES": "11", "TRUNKLINE_MAX_CONNECTIONS": "10"}
    assert problems_of(environ)[0].startswith("TRUNKLINE_WARM_SPARES is more than")
