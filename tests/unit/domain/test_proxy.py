import pytest

from service.domain.proxy import DIRECT, Proxy, ProxyRoute

PROXY = Proxy("HTTPS_PROXY", "http://me:s3cret@proxy:3128", "http://proxy:3128")


@pytest.mark.parametrize(
    ("route", "text"),
    [
        (DIRECT, "directly (no proxy variable is set)"),
        (ProxyRoute(why="loopback"), "directly (loopback)"),
        (ProxyRoute(PROXY, why=""), "through the proxy http://proxy:3128 (HTTPS_PROXY)"),
    ],
)
def test_a_route_describes_itself(route, text):
    assert str(route) == text


def test_the_credentials_of_a_proxy_are_not_shown():
    assert "s3cret" not in repr(ProxyRoute(PROXY)) + str(ProxyRoute(PROXY))


@pytest.mark.parametrize(("url", "secure"), [("http://proxy:3128", False), ("https://proxy:443", True)])
def test_a_proxy_is_secure_by_its_own_scheme(url, secure):
    assert Proxy("ALL_PROXY", url, url).secure == secure
