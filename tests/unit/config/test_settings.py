import dataclasses

import pytest

from service.config import parsers
from service.config.settings import ROWS, Settings, load
from service.domain.errors import SettingsError

KEY = {"OPENAI_API_KEY": "sk-secret"}
JWT = {
    "TRUNKLINE_JWT_ISSUER": "https://issuer.example",
    "TRUNKLINE_JWT_AUDIENCE": "trunkline",
    "TRUNKLINE_JWT_JWKS": "jwks.json",
}
PRODUCT = {
    "LISTEN": "127.0.0.1:50051",
    "UPSTREAM_URL": "https://api.openai.com/v1",
    "REPLAY": "once",
    "CHAIN_BASIS": "minimal",
    "CACHE_KEY": "session",
    "CONNECT_TIMEOUT_S": 8,
    "RECEIVE_TIMEOUT_S": 30,
    "SEND_TIMEOUT_S": 10,
    "FIRST_EVENT_TIMEOUT_S": 30,
    "FIRST_EVENT_LIMIT_S": 300,
    "IDLE_TIMEOUT_S": 120,
    "TURN_TIMEOUT_S": 1800,
    "COOLDOWN_S": 60,
    "SESSION_TTL_S": 300,
    "MAX_AGE_S": 3300,
    "PING_INTERVAL_S": 20,
    "PING_TIMEOUT_S": 20,
    "MAX_FRAME_BYTES": 15728640,
    "MAX_REQUEST_BYTES": 33554432,
    "MAX_MESSAGES": 10_000,
    "MAX_SESSIONS": 10_000,
    "MAX_TURNS": 1000,
    "QUEUE_SIZE": 0,
    "REQUESTS_PER_MINUTE": None,
    "TOKENS_PER_MINUTE": None,
    "TOKENS_PER_DAY": None,
    "MAX_CONNECTIONS": 1000,
    "MAX_DIALS": 64,
    "DRAIN_GRACE_S": 30,
    "WARM_SPARES": 0,
    "AUTH_TOKENS": (),
    "JWT_ISSUER": "",
    "JWT_ALGORITHMS": ("RS256", "ES256", "EdDSA"),
    "JWT_TENANT_CLAIM": "sub",
    "METRICS_LISTEN": "",
    "ALLOW_INSECURE": False,
    "PAYLOAD_HOOK": "",
    "TUNING": frozenset(),
}


def problems_of(environ):
    with pytest.raises(SettingsError) as caught:
        load(KEY | environ)
    return caught.value.problems


@pytest.mark.parametrize(("name", "default"), PRODUCT.items())
def test_default(name, default):
    assert getattr(load(KEY), name.lower()) == default


def test_the_defaults_need_no_environment():
    assert dataclasses.replace(load(KEY), openai_api_key="", given=frozenset()) == Settings()


@dataclasses.dataclass(frozen=True)
class Part:
    max_dials: int
    http_url: str
    cooldown_given: bool


@pytest.mark.parametrize(("environ", "given"), [({}, False), ({"TRUNKLINE_COOLDOWN_S": "60"}, True)])
def test_a_part_has_the_values_of_its_names(environ, given):
    settings = load(KEY | {"TRUNKLINE_MAX_DIALS": "7"} | environ)
    assert settings.part(Part) == Part(7, "https://api.openai.com/v1/responses", given)


def test_every_field_but_the_derived_is_a_row():
    fields = {field.name for field in dataclasses.fields(Settings)}
    derived = {"given", "route", "jwt_route", "name", "own_keys", "failover"}
    assert fields - {row.name for row in ROWS.values()} == derived


def test_every_row_is_documented_in_one_line():
    assert all(row.metadata["doc"].endswith(".") and "\n" not in row.metadata["doc"] for row in ROWS.values())


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("TRUNKLINE_LISTEN", "[::1]:0", "[::1]:0"),
        ("TRUNKLINE_LISTEN", "localhost:1", "localhost:1"),
        ("TRUNKLINE_LISTEN", "127.9.9.9:1", "127.9.9.9:1"),
        ("TRUNKLINE_UPSTREAM_URL", "http://localhost:8080/v1/", "http://localhost:8080/v1"),
        ("TRUNKLINE_UPSTREAM_URL", "HTTP://Local:8080/V1//", "http://Local:8080/V1"),
        ("TRUNKLINE_UPSTREAM_URL", "HTTPS://api.example.org", "https://api.example.org"),
        ("TRUNKLINE_UPSTREAM_URL", "http://[::1]:8080", "http://[::1]:8080"),
        ("TRUNKLINE_UPSTREAM_URL", "https://host/responses-api", "https://host/responses-api"),
        ("TRUNKLINE_UPSTREAM_URL", "https://host/v1/?api-version=1", "https://host/v1?api-version=1"),
        ("TRUNKLINE_UPSTREAM_HEADERS", "A=1, b-C=x=y z", (("A", "1"), ("b-C", "x=y z"))),
        ("TRUNKLINE_UPSTREAM_KEY_HEADER", "api-key", "api-key"),
        ("TRUNKLINE_REPLAY", "safe-only", "safe-only"),
        ("TRUNKLINE_CHAIN_BASIS", "strict", "strict"),
        ("TRUNKLINE_CACHE_KEY", "off", "off"),
        ("TRUNKLINE_TRANSPORT", "sse", "sse"),
        ("TRUNKLINE_CHAINING", "off", "off"),
        ("TRUNKLINE_ITEM_IDS", "never", "never"),
        ("TRUNKLINE_THOUGHTS", "all", "all"),
        ("TRUNKLINE_CONNECT_TIMEOUT_S", "0.25", 0.25),
        ("TRUNKLINE_COOLDOWN_S", "0", 0),
        ("TRUNKLINE_DRAIN_GRACE_S", "0", 0),
        ("TRUNKLINE_QUEUE_SIZE", "7", 7),
        ("TRUNKLINE_WARM_SPARES", "1000", 1000),
        ("TRUNKLINE_AUTH_TOKENS", "a=one, b==two", (("a", "one"), ("b=", "two"))),
        ("TRUNKLINE_ALLOW_INSECURE", "1", True),
        ("TRUNKLINE_METRICS_LISTEN", "0.0.0.0:9464", "0.0.0.0:9464"),
        ("TRUNKLINE_PAYLOAD_HOOK", "my.hooks:tag", "my.hooks:tag"),
        ("TRUNKLINE_REPLICA", "blue", "blue"),
        ("TRUNKLINE_TUNING", "on", frozenset()),
        ("TRUNKLINE_TUNING", "off", parsers.TUNING),
        ("TRUNKLINE_TUNING", "gc, tls-buffers", frozenset({"gc", "tls-buffers"})),
        ("TRUNKLINE_CALLER_ATTRIBUTES", "X-Team, x-service,x-team", ("x-team", "x-service")),
        ("TRUNKLINE_JWT_AUDIENCE", "a, b", ("a", "b")),
        ("TRUNKLINE_JWT_ALGORITHMS", "PS256", ("PS256",)),
        ("TRUNKLINE_JWT_JWKS", "/secrets/jwks.json", "/secrets/jwks.json"),
        ("TRUNKLINE_JWT_JWKS", "https://issuer.example/keys?v=1", "https://issuer.example/keys?v=1"),
        ("TRUNKLINE_JWT_JWKS", "http://127.0.0.1:8080/keys", "http://127.0.0.1:8080/keys"),
        ("TRUNKLINE_JWT_JWKS", "http://[::1]/keys", "http://[::1]/keys"),
        ("OPENAI_API_KEY", "sk-other", "sk-other"),
    ],
)
def test_value(name, text, value):
    settings = load(KEY | (JWT if "JWT" in name else {}) | {name: text})
    assert getattr(settings, ROWS[name].name) == value
    assert ROWS[name].name in settings.given


@pytest.mark.parametrize("number", ["nan", "inf", "-1", "1e3", "1_0", " 1", "", ".5", "9" * 400, "31536001"])
@pytest.mark.parametrize("name", ["TRUNKLINE_IDLE_TIMEOUT_S", "TRUNKLINE_COOLDOWN_S"])
def test_no_seconds(name, number):
    if number:
        assert problems_of({name: number})[0].startswith(f"{name} must be ")
    else:
        assert load(KEY | {name: number}) == load(KEY)


@pytest.mark.parametrize("number", ["nan", "-1", "1.0", "0x1", "1_0", "\u0661", "1073741825", "9" * 5000])
@pytest.mark.parametrize("name", ["TRUNKLINE_MAX_TURNS", "TRUNKLINE_QUEUE_SIZE"])
def test_no_count(name, number):
    assert problems_of({name: number}) == (f"{name} must be a whole number from 0 to 1073741824",)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("TRUNKLINE_TURN_TIMEOUT_S", "0", "more than 0 seconds"),
        ("TRUNKLINE_MAX_TURNS", "0", "at least 1"),
        ("TRUNKLINE_LISTEN", ":50051", "HOST:PORT"),
        ("TRUNKLINE_LISTEN", "localhost", "HOST:PORT"),
        ("TRUNKLINE_LISTEN", "::1:50051", "HOST:PORT"),
        ("TRUNKLINE_LISTEN", "localhost:65536", "HOST:PORT"),
        ("TRUNKLINE_LISTEN", "h\u00f4te:1", "HOST:PORT"),
        ("TRUNKLINE_LISTEN", "a b:1", "HOST:PORT"),
        ("TRUNKLINE_METRICS_LISTEN", "9464", "HOST:PORT"),
        ("TRUNKLINE_TUNING", "gc,nothing", "paced-loop, scheduler"),
        ("TRUNKLINE_REPLICA", "blue\n", "printable"),
        ("TRUNKLINE_REPLICA", "\udce9", "printable"),
        ("TRUNKLINE_REPLICA", "x" * 257, "at most 256"),
        ("TRUNKLINE_UPSTREAM_URL", "wss://api.openai.com/v1", "http or https URL"),
        ("TRUNKLINE_UPSTREAM_URL", "https://", "http or https URL"),
        ("TRUNKLINE_UPSTREAM_URL", "http://host:port", "http or https URL"),
        ("TRUNKLINE_UPSTREAM_URL", "http://[::1", "http or https URL"),
        ("TRUNKLINE_UPSTREAM_URL", "http://a b/", "http or https URL"),
        ("TRUNKLINE_UPSTREAM_URL", "https://me:pass@host/v1", "credentials"),
        ("TRUNKLINE_UPSTREAM_URL", "https://host/v1#x", "must not hold #"),
        ("TRUNKLINE_UPSTREAM_HEADERS", "a=1,b", "printable ASCII for b"),
        ("TRUNKLINE_UPSTREAM_HEADERS", "a b=1", "entry 1 is not"),
        ("TRUNKLINE_UPSTREAM_HEADERS", "a=", "printable ASCII for a"),
        ("TRUNKLINE_UPSTREAM_HEADERS", "a=1,A=2", "names a header twice"),
        ("TRUNKLINE_UPSTREAM_HEADERS", "Authorization=x", "the key has settings of its own"),
        ("TRUNKLINE_UPSTREAM_HEADERS", "Sec-WebSocket-Key=x", "which the service sets itself"),
        ("TRUNKLINE_UPSTREAM_HEADERS", "Host=x", "which the service sets itself"),
        ("TRUNKLINE_UPSTREAM_HEADERS", ",".join(f"a{n}=1" for n in range(33)), "at most 32 headers"),
        ("TRUNKLINE_UPSTREAM_KEY_HEADER", "a b", "bearer, or the name of the header"),
        ("TRUNKLINE_UPSTREAM_KEY_HEADER", "host", "bearer, or the name of the header"),
        ("TRUNKLINE_UPSTREAM_URL", "WS://host/v1", "made from it"),
        ("TRUNKLINE_UPSTREAM_URL", "https://host/v1/responses?api-version=1", "without /responses"),
        ("TRUNKLINE_UPSTREAM_URL", "https://host//v1", "must not hold //"),
        ("TRUNKLINE_UPSTREAM_URL", "https://host/v1/responses", "without /responses"),
        ("TRUNKLINE_UPSTREAM_URL", "https://host/v1/Responses//", "without /responses"),
        ("TRUNKLINE_UPSTREAM_URL", "https://host/v1/chat/completions", "without /chat/completions"),
        ("TRUNKLINE_REPLAY", "always", "once or safe-only"),
        ("TRUNKLINE_CHAIN_BASIS", "lax", "minimal or strict"),
        ("TRUNKLINE_CACHE_KEY", "on", "session or off"),
        ("TRUNKLINE_TRANSPORT", "http", "auto, websocket or sse"),
        ("TRUNKLINE_CHAINING", "on", "auto or off"),
        ("TRUNKLINE_ITEM_IDS", "always", "auto or never"),
        ("TRUNKLINE_THOUGHTS", "off", "paired or all"),
        ("TRUNKLINE_ALLOW_INSECURE", "yes", "1 (yes) or 0 (no)"),
        ("TRUNKLINE_PAYLOAD_HOOK", "hooks.tag", "module:function"),
        ("TRUNKLINE_AUTH_TOKENS", "a=one,b", "entry 2 must be token=tenant"),
        ("TRUNKLINE_AUTH_TOKENS", "=one", "entry 1 must be token=tenant"),
        ("TRUNKLINE_AUTH_TOKENS", "a=", "entry 1 must be token=tenant"),
        ("TRUNKLINE_AUTH_TOKENS", "a=one,a=two", "names a token twice"),
        ("TRUNKLINE_AUTH_TOKENS", "a b=one", "printable ASCII"),
        ("TRUNKLINE_CALLER_ATTRIBUTES", "x-team,", "without empty entries"),
        ("TRUNKLINE_CALLER_ATTRIBUTES", "x/team", "x/team is not one of up to 64 of"),
        ("TRUNKLINE_CALLER_ATTRIBUTES", "x" * 65, "is not one of up to 64 of"),
        ("TRUNKLINE_CALLER_ATTRIBUTES", "x-team-bin", "or is binary"),
        ("TRUNKLINE_CALLER_ATTRIBUTES", "Authorization", "must not name authorization"),
        ("TRUNKLINE_CALLER_ATTRIBUTES", "grpc-timeout", "must not name grpc-timeout"),
        ("TRUNKLINE_CALLER_ATTRIBUTES", "a,b,c,d,e,f,g,h,i", "at most 8 keys"),
        ("TRUNKLINE_JWT_ISSUER", "a b", "without spaces"),
        ("TRUNKLINE_JWT_AUDIENCE", "a,,b", "without empty entries"),
        ("TRUNKLINE_JWT_ALGORITHMS", "RS256,HS256", "must be a list of ES256, "),
        ("TRUNKLINE_JWT_ALGORITHMS", "none", "must be a list of ES256, "),
        ("TRUNKLINE_JWT_ALGORITHMS", ",", "without empty entries"),
        ("TRUNKLINE_JWT_TENANT_CLAIM", "x" * 257, "at most 256"),
        ("TRUNKLINE_JWT_JWKS", "ftp://issuer.example/keys", "a path, or a URL"),
        ("TRUNKLINE_JWT_JWKS", "https://[issuer/keys", "a path, or a URL"),
        ("TRUNKLINE_JWT_JWKS", "https:///keys", "a path, or a URL"),
        ("TRUNKLINE_JWT_JWKS", "https://issuer.example/#keys", "a path, or a URL"),
        ("TRUNKLINE_JWT_JWKS", "https://me:s3cret@issuer.example/", "must not hold credentials"),
        ("TRUNKLINE_JWT_JWKS", "http://issuer.example/keys", "must be https"),
        ("OPENAI_API_KEY", "sk-secret\n", "line end"),
    ],
)
def test_refused(name, text, says):
    (problem,) = problems_of({name: text})
    assert problem.startswith(f"{name} ")
    assert says in problem
    assert "s3cret" not in problem


def test_an_unknown_variable_is_refused_with_the_nearest_name():
    assert problems_of({"TRUNKLINE_MAX_TURN": "1", "TRUNKLINE_XYZZY": "1"}) == (
        "TRUNKLINE_MAX_TURN is not a setting; did you mean TRUNKLINE_MAX_TURNS?",
        "TRUNKLINE_XYZZY is not a setting; docs/settings.md lists them all",
    )


def test_variables_of_others_are_left_alone():
    assert load(KEY | {"OPENAI_API_KEY_FILE": "/x", "PATH": "/bin"}) == load(KEY)


def test_all_problems_are_reported_at_once():
    assert len(problems_of({"TRUNKLINE_MAX_TURNS": "x", "TRUNKLINE_REPLAY": "x"})) == 2


def test_the_replica_is_the_host_unless_it_is_named(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "blue")
    assert load(KEY).replica == "blue"


@pytest.mark.parametrize(
    "environ",
    [
        KEY | {"TRUNKLINE_AUTH_TOKENS": "s3cret=one"},
        {"TRUNKLINE_AUTH_TOKENS": "s3cret=one,s3cret=two"},
        {"TRUNKLINE_AUTH_TOKENS": "s3cret"},
        {"TRUNKLINE_UPSTREAM_URL": "https://me:s3cret@host"},
        {"TRUNKLINE_UPSTREAM_URL": "https://me:s3cret"},
        {"OPENAI_API_KEY": "sk-secret s3cret"},
        KEY | {"TRUNKLINE_UPSTREAM_HEADERS": "x-team=s3cret"},
        KEY | {"TRUNKLINE_UPSTREAM_HEADERS": "x-team=s3cret\x7f"},
    ],
)
def test_secrets_are_never_shown(environ):
    try:
        shown = repr(load(environ))
    except SettingsError as error:
        shown = f"{error!r} {error}"
    assert "secret" not in shown
    assert "s3cret" not in shown


def test_models_are_names_and_prefixes():
    environ = KEY | {"TRUNKLINE_EFFORT_UPDATES": "gpt-6-astra, gpt-7*"}
    assert load(environ).effort_updates == ("gpt-6-astra", "gpt-7*")
    assert load(KEY).effort_updates == ()
    for text in ("a b", "a,,b", ","):
        with pytest.raises(SettingsError, match="TRUNKLINE_EFFORT_UPDATES must be names of models"):
            load(KEY | {"TRUNKLINE_EFFORT_UPDATES": text})


KEYS = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def test_keys_of_tokens_are_bytes_that_no_repr_shows():
    loaded = load(KEY | {"TRUNKLINE_CONTINUATION_KEY": f"{KEYS},{KEYS}"})
    assert loaded.continuation_key == (b"01234567890123456789012345678901",) * 2
    assert "0123456789" not in repr(loaded)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"TRUNKLINE_CONTINUATION_KEY": "s3cret"}, "TRUNKLINE_CONTINUATION_KEY must be base64 of 32 bytes"),
        (
            {"TRUNKLINE_CONTINUATION_KEY": KEYS, "TRUNKLINE_CONTINUATION_KEY_FILE": "key"},
            "TRUNKLINE_CONTINUATION_KEY and TRUNKLINE_CONTINUATION_KEY_FILE are both set",
        ),
    ],
)
def test_a_bad_key_of_tokens_is_refused_and_not_repeated(more, what):
    with pytest.raises(SettingsError, match=what) as caught:
        load(KEY | more)
    assert "s3cret" not in str(caught.value)
    assert KEYS not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "reflects"),
    [
        ({}, True),
        ({"TRUNKLINE_LISTEN": "0.0.0.0:1"}, False),
        ({"TRUNKLINE_REFLECTION": "0"}, False),
        ({"TRUNKLINE_LISTEN": "0.0.0.0:1", "TRUNKLINE_REFLECTION": "1"}, True),
    ],
)
def test_reflection_is_on_by_default_on_loopback_only(environ, reflects):
    assert load(KEY | {"TRUNKLINE_ALLOW_INSECURE": "1"} | environ).reflects is reflects


def test_reflection_is_a_flag():
    assert problems_of({"TRUNKLINE_REFLECTION": "yes"}) == ("TRUNKLINE_REFLECTION must be 1 (yes) or 0 (no)",)


def test_frames_are_split_unless_that_is_left_out():
    assert load(KEY).splits_frames
    assert not load(KEY | {"TRUNKLINE_TUNING": "frame-splitting"}).splits_frames
    assert not load(KEY | {"TRUNKLINE_TUNING": "off"}).splits_frames


@pytest.mark.parametrize(
    ("where", "proxied"),
    [("https://issuer.example/keys", True), ("https://inside.example/keys", False), ("jwks.json", False)],
)
def test_the_keys_of_jwts_are_fetched_by_a_route_of_their_own(where, proxied):
    environ = {"HTTPS_PROXY": "http://proxy.example:3128", "NO_PROXY": "inside.example"}
    loaded = load(KEY | JWT | environ | {"TRUNKLINE_JWT_JWKS": where})
    assert (loaded.jwt_route.proxy is not None) is proxied
    assert loaded.route.proxy is not None
