import dataclasses

import pytest

from service.config.settings import Settings, load
from service.config.upstreams import OWN, read_upstreams
from service.domain.key_source import KeySource
from service.domain.report import UpstreamReason
from service.domain.routes import Stop

ENVIRON = {"OPENAI_API_KEY": "sk-secret", "AZURE_KEY": "azure-secret"}
FILE = """
[upstreams.openai]
url = "https://api.openai.com/v1"
keys = [{ env = "OPENAI_API_KEY" }]
models = ["gpt-5*", "o4-mini"]

[upstreams.azure]
url = "https://res.openai.azure.com/openai/v1?api-version=preview"
keys = [{ file = "/secrets/azure", weight = 3 }, { env = "AZURE_KEY" }]
key_header = "api-key"
headers = { x-team = "search" }
proxy = "proxy.example.org:3128"
ca = "/etc/ca.pem"
connect_timeout_s = 2
max_connections = 50
tls_relaxed = true
effort_updates = ["gpt-6*", "gpt-7"]

[upstreams.azure.rename]
"gpt-5" = "my-deployment"

[[routes]]
models = ["gpt-5*"]
tenants = ["eu"]
upstreams = ["azure"]
"""


@pytest.fixture
def read(tmp_path):
    """Returns what a file of this text says, beside these settings."""
    path = tmp_path / "upstreams.toml"

    def reading(text, environ=ENVIRON, **settings):
        path.write_text(text)
        return read_upstreams(str(path), Settings(**settings), environ)

    return reading


def test_each_upstream_has_what_it_names_and_the_rest_from_the_environment(read):
    openai, azure = read(FILE, send_timeout_s=7.0).settings
    assert (openai.name, openai.http_url) == ("openai", "https://api.openai.com/v1/responses")
    assert openai.keys == (KeySource("sk-secret"),)
    assert (openai.connect_timeout_s, openai.send_timeout_s) == (8.0, 7.0)
    assert azure.ws_url == "wss://res.openai.azure.com/openai/v1/responses?api-version=preview"
    assert azure.keys == (KeySource(file="/secrets/azure", weight=3), KeySource("azure-secret"))
    assert (azure.upstream_key_header, azure.upstream_headers) == ("api-key", (("x-team", "search"),))
    assert str(azure.route) == "through the proxy http://proxy.example.org:3128 (proxy)"
    assert (azure.upstream_ca, azure.tls_relaxed, azure.max_connections) == ("/etc/ca.pem", True, 50)
    assert (azure.connect_timeout_s, azure.send_timeout_s) == (2.0, 7.0)
    assert azure.effort_updates == ("gpt-6*", "gpt-7")
    assert "secret" not in repr((openai, azure)).replace("/secrets/azure", "")


def test_the_routes_are_those_of_models_and_tenants(read):
    routes = read(FILE).routes
    assert routes.order("search", "gpt-5") == (Stop("openai", "gpt-5"), Stop("azure", "my-deployment"))
    assert routes.order("search", "gpt-5-mini") == (Stop("openai", "gpt-5-mini"),)
    assert routes.order("eu", "gpt-5") == (Stop("azure", "my-deployment"),)
    assert routes.order("search", "gpt-4") == ()


def test_an_upstream_without_models_serves_all(read):
    text = '[upstreams.a]\nurl = "http://localhost/v1"\n[upstreams.b]\nurl = "http://localhost/v2"\n'
    upstreams = read(text)
    assert upstreams.routes.order("t", "any") == (Stop("a", "any"), Stop("b", "any"))
    assert upstreams.connections == 2000
    assert upstreams.settings[0].keys == (KeySource(),)


def test_the_key_of_the_environment_is_not_an_upstreams_unless_it_says_so(read):
    environ = {"OPENAI_API_KEY": "sk-secret"}
    settings = load(environ)
    (only,) = read('[upstreams.a]\nurl = "http://localhost/v1"', openai_api_key="sk-secret").settings
    assert settings.keys == (KeySource("sk-secret"),)
    assert only.keys == (KeySource(),)


def test_callers_keys_are_taken_only_where_the_file_says_so(read):
    text = '[upstreams.a]\nurl = "https://localhost/v1"\ncaller_keys = true\n'
    both = read(text + '[upstreams.b]\nurl = "http://localhost/v1"', caller_keys=True).settings
    assert [one.caller_keys for one in both] == [True, False]


def test_a_cooldown_of_its_own_counts_as_given(read):
    text = '[upstreams.a]\nurl = "http://localhost/v1"\ncooldown_s = 60'
    assert read(text).settings[0].cooldown_given


def test_each_setting_of_its_own_can_be_named(read):
    samples = {"url": "http://localhost/v1", "ca": "c.pem", "key_header": "api-key", "tls_relaxed": True}
    for key, row in OWN.items():
        value = samples.get(key, row.metadata["default"] or "x")
        toml = str(value).lower() if isinstance(value, bool) else f'"{value}"'
        read(f'[upstreams.a]\nurl = "http://localhost/v1"\n{key} = {toml}')
    assert {"connect_timeout_s", "max_connections", "chain_basis", "ca", "key_header"} <= OWN.keys()
    assert not {"listen", "auth_file", "replay", "turn_timeout_s"} & OWN.keys()


def test_what_leads_to_another_upstream_is_all_or_what_the_file_says(read):
    text = '[upstreams.a]\nurl = "http://localhost/v1"\n'
    choosing = set(UpstreamReason) - {
        UpstreamReason.PREFERRED,
        UpstreamReason.SESSION,
        UpstreamReason.COOLDOWN,
    }
    assert read(text).settings[0].failover == choosing
    some = read('failover = ["timeout"]\n' + text).settings[0].failover
    assert some == {UpstreamReason.CONNECT_FAILED, UpstreamReason.TIMEOUT}


ONE = '[upstreams.a]\nurl = "http://localhost/v1"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[upstreams.a\n", "line 1"),
        ("", "missing required field `upstreams`"),
        ("[upstreams]\n", "length >= 1"),
        ('failover = ["cooldown"]\n' + ONE, "Invalid enum value 'cooldown'"),
        (ONE + "[other]\n", "unknown field `other`"),
        ('[upstreams."a b"]\nurl = "http://h"', "regex"),
        ("[upstreams.a]\n", "upstream a: Object missing required field `url`"),
        (ONE + "modls = []\n", "upstream a: Object contains unknown field `modls`"),
        (ONE + 'listen = "x"\n', "upstream a: Object contains unknown field `listen`"),
        (ONE + "connect_timeout_s = -1\n", "upstream a: connect_timeout_s must be seconds"),
        (ONE + "connect_timeout_s = 1979-05-27\n", "upstream a: connect_timeout_s must be a string"),
        (ONE + "max_connections = 1.5\n", "upstream a: max_connections must be a whole number"),
        (ONE + "warm_spares = 1001\n", "upstream a: warm_spares is more than max_connections"),
        (ONE + 'headers = { "a b" = "s3cret" }\n', "upstream a: headers must be Name=value"),
        (ONE + 'headers = { Authorization = "s3cret" }\n', "upstream a: headers must not hold Authorization"),
        (ONE + 'models = ["a b"]\n', "upstream a: Expected `str` matching regex"),
        (ONE + 'rename = { "a[b]" = "c" }\n', "upstream a: Expected `str` matching regex"),
        (ONE + "models = []\n", "upstream a: Expected `array` of length >= 1"),
        (ONE + "keys = [{}]\n", "upstream a: key 1 must name either env"),
        (ONE + 'keys = [{ env = "A", file = "b" }]\n', "upstream a: key 1 must name either env"),
        (ONE + 'keys = [{ env = "sk-s3cret" }]\n', "upstream a: key 1 must name a variable in env"),
        (ONE + 'keys = [{ env = "NOT_THERE" }]\n', "key 1 names the variable NOT_THERE, which is not set"),
        (ONE + 'keys = [{ env = "BAD" }]\n', "upstream a: key 1 must be printable ASCII"),
        (ONE + 'keys = [{ env = "BAD", weight = 0 }]\n', "upstream a: Expected `int` >= 1"),
        (ONE + 'proxy = "socks5://h"\n', "upstream a: proxy names a SOCKS proxy"),
        (ONE + 'proxy = "http://u:s3cret@h:x"\n', "upstream a: proxy must be the URL of an HTTP proxy"),
        ('[upstreams.a]\nurl = "https://u:s3cret@h"\n', "upstream a: url must not hold credentials"),
        ('[upstreams.a]\nurl = "https://h/v1"\n', "upstream a: keys is missing"),
        (ONE + '[[routes]]\nupstreams = ["b"]\n', "route 1 names the upstream 'b', which is not in the file"),
        (ONE + '[[routes]]\nupstreams = ["a", "a"]\n', "route 1 names an upstream twice"),
        (ONE + "[[routes]]\nupstreams = []\n", "length >= 1"),
        ("a = " + "[" * 5000, "nested too deeply"),
        ("\xff", "upstreams.toml: "),
    ],
)
def test_what_is_wrong_is_named_and_no_secret_is_repeated(read, text, says):
    with pytest.raises(ValueError, match=r"(?s).*") as caught:
        read(text, {"BAD": "s3cret\n"})
    assert says in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_no_proxy_at_all_can_be_said(read):
    environ = {"HTTP_PROXY": "http://proxy:1"}
    text = '[upstreams.a]\nurl = "http://example.org/v1"\n'
    assert read(text, environ).settings[0].route.proxy is not None
    direct = read(text + 'proxy = "direct"', environ).settings[0].route
    assert str(direct) == "directly (proxy says so)"


def test_the_values_are_those_of_an_upstream_alone(read):
    (one,) = read('[upstreams.a]\nurl = "http://localhost/v1"').settings
    names = {"failover", "name", "upstream_url", "own_keys", "route"}
    different = {
        field.name
        for field in dataclasses.fields(Settings)
        if getattr(one, field.name) != getattr(Settings(), field.name)
    }
    assert different <= names
