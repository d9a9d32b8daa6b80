import pytest

from service.config.proxies import LOOPBACK, is_loopback, route_to, spare_loopback
from service.domain.proxy import DIRECT

HTTPS = "https://api.example.org/v1/responses"
HTTP = "http://api.example.org:8080/v1/responses"
PROXY = "http://proxy:3128"


@pytest.mark.parametrize(
    ("url", "environ", "variable"),
    [
        (HTTPS, {"HTTPS_PROXY": PROXY}, "HTTPS_PROXY"),
        (HTTPS, {"HTTPS_PROXY": PROXY, "https_proxy": "http://lower"}, "https_proxy"),
        (HTTPS, {"HTTPS_PROXY": PROXY, "https_proxy": ""}, "HTTPS_PROXY"),
        (HTTPS, {"ALL_PROXY": PROXY}, "ALL_PROXY"),
        (HTTPS, {"all_proxy": PROXY, "HTTPS_PROXY": "http://its-own"}, "HTTPS_PROXY"),
        (HTTPS, {"HTTPS_PROXY": "p", "ALL_PROXY": "socks5://unused:1"}, "HTTPS_PROXY"),
        (HTTP, {"HTTP_PROXY": PROXY, "HTTPS_PROXY": "http://others"}, "HTTP_PROXY"),
    ],
)
def test_the_scheme_chooses_the_variable(url, environ, variable):
    proxy = route_to(url, environ).proxy
    assert proxy is not None
    assert proxy.variable == variable


@pytest.mark.parametrize(
    "environ", [{}, {"HTTP_PROXY": PROXY}, {"HTTPS_PROXY": " "}, {"WSS_PROXY": PROXY}, {"NO_PROXY": "*"}]
)
def test_without_a_variable_of_its_own_it_goes_directly(environ):
    assert route_to(HTTPS, environ) == DIRECT


@pytest.mark.parametrize(
    ("text", "url", "shown"),
    [
        ("proxy:3128", PROXY, PROXY),
        ("PROXY.example.org", "http://proxy.example.org:80", "http://proxy.example.org:80"),
        ("https://proxy/", "https://proxy:443", "https://proxy:443"),
        ("HTTP://10.0.0.1:8", "http://10.0.0.1:8", "http://10.0.0.1:8"),
        ("http://[fd07::1]:3128", "http://[fd07::1]:3128", "http://[fd07::1]:3128"),
        ("http://me:p%40ss:w@proxy:1", "http://me:p%40ss%3Aw@proxy:1", "http://proxy:1"),
        ("me@proxy:1", "http://me:@proxy:1", "http://proxy:1"),
    ],
)
def test_the_url_is_completed_and_shown_without_credentials(text, url, shown):
    route = route_to(HTTPS, {"HTTPS_PROXY": text})
    assert route.proxy is not None
    assert (route.proxy.url, route.proxy.shown) == (url, shown)
    assert str(route) == f"through the proxy {shown} (HTTPS_PROXY)"
    assert route.proxy.secure == shown.startswith("https")
    assert "ss:w" not in repr(route)


@pytest.mark.parametrize(
    "text",
    [
        "nonsense://x",
        "http://",
        "http://:3128",
        "proxy:port",
        "proxy:0",
        "proxy:99999",
        "http://two words:1",
        "http://proxy:1/path",
        "http://proxy:1?q",
        "http://me:pass#word@proxy:1",
        "http://me:%ff@proxy:1",
        "http://[::1",
        "http://pröxy:1",
        "PROXY proxy:3128; DIRECT",
    ],
)
@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_nonsense_is_refused_by_the_variables_name(text, variable):
    with pytest.raises(ValueError, match=f"^{variable} must be the URL of an HTTP proxy") as caught:
        route_to(HTTPS, {variable: text})
    assert "pass" not in str(caught.value).replace("password", "")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["socks4", "socks5", "socks5h", "SOCKS5"])
def test_a_socks_proxy_that_would_be_used_is_refused(scheme):
    with pytest.raises(ValueError, match=r"^ALL_PROXY names a SOCKS proxy.*HTTPS_PROXY") as caught:
        route_to(HTTPS, {"ALL_PROXY": f"{scheme}://me:secret@proxy:1080"})
    assert "secret" not in str(caught.value)
    assert route_to(HTTPS, {"ALL_PROXY": f"{scheme}://p:1", "NO_PROXY": "example.org"}).proxy is None


@pytest.mark.parametrize(
    ("host", "no_proxy", "direct"),
    [
        ("api.example.org", "*", True),
        ("api.example.org", "api.example.org", True),
        ("api.example.org", "API.Example.ORG", True),
        ("api.example.org.", "api.example.org", True),
        ("api.example.org", "other, example.org", True),
        ("api.example.org", "other .example.org", True),
        ("api.example.org", "*.example.org", True),
        ("api.example.org", "example.org.", True),
        ("api.example.org", "https://api.example.org", True),
        ("api.example.org", "example.org:8080", True),
        ("api.example.org", "example.org:443", False),
        ("api.example.org", "ample.org", False),
        ("api.example.org", "api.example.org.evil.net", False),
        ("api.example.org", ",, .", False),
        ("api.example.org", "10.0.0.0/8", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.3:8080", True),
        ("10.1.2.3", "10.1.2.3:80", False),
        ("10.1.2.3", "2.3", False),
        ("10.1.2.3", "fd07::/64", False),
        ("10.1.2.3", "10.0.0.0/99", False),
        ("[fd07::1]", "fd07::1", True),
        ("[fd07::1]", "FD07:0::1", True),
        ("[fd07::1]", "[fd07::1]", True),
        ("[fd07::1]", "[fd07::1]:8080", True),
        ("[fd07::1]", "[fd07::1]:80", False),
        ("[fd07::1]", "localhost,127.0.0.1,::1,fd07:b51a:cc66:f0::/64", False),
        ("[fd07::1]", "fd07::/64", True),
        ("[fd07::1]", "[fd07::]/64", True),
        ("[::ffff:10.1.2.3]", "10.0.0.0/8", True),
    ],
)
def test_no_proxy(host, no_proxy, direct):
    route = route_to(f"http://{host}:8080/v1", {"HTTP_PROXY": PROXY, "NO_PROXY": no_proxy})
    assert (route.proxy is None) == direct
    assert not direct or str(route) == "directly (NO_PROXY names it)"


def test_no_proxy_in_lower_case_wins():
    environ = {"HTTPS_PROXY": PROXY, "NO_PROXY": "*", "no_proxy": "elsewhere"}
    assert route_to(HTTPS, environ).proxy is not None


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.9.9.9",
        "[::1]",
        "localhost",
        "LOCALHOST",
        "a.localhost",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ],
)
def test_loopback_is_never_reached_by_a_proxy(host):
    environ = {"HTTP_PROXY": PROXY, "ALL_PROXY": "socks5://p:1"}
    assert str(route_to(f"http://{host}:1/v1", environ)) == "directly (loopback)"


@pytest.mark.parametrize("host", ["128.0.0.1", "localhost.example.org", "notlocalhost", "fd07::1"])
def test_what_is_not_loopback(host):
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("environ", "no_proxy"),
    [
        ({}, None),
        ({"NO_PROXY": "a"}, None),
        ({"http_proxy": PROXY, "NO_PROXY": "*"}, None),
        ({"http_proxy": PROXY}, LOOPBACK),
        ({"ALL_PROXY": PROXY, "NO_PROXY": "a,b"}, f"a,b,{LOOPBACK}"),
        ({"grpc_proxy": PROXY, "NO_PROXY": "a", "no_proxy": "b"}, f"b,{LOOPBACK}"),
    ],
)
def test_loopback_is_spared_for_the_libraries_that_read_for_themselves(environ, no_proxy):
    spare_loopback(environ)
    assert environ.get("no_proxy") == no_proxy
