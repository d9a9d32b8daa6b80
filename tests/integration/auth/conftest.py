"""Tenants of every kind, certificates of every kind, and files that are looked at each time."""

from hashlib import sha256

import pytest

from service import reload
from tests.integration.auth.pki import HOST, Authority
from tests.integration.service.conftest import start

__all__ = ["start"]


def digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()


TENANTS = f"""
[tenants.alpha]
token_sha256 = ["{digest("t0k3n-alpha")}", "{digest("t0k3n-alpha-new")}"]
certificates = ["alpha.example", "alpha-by-common-name"]

[tenants.beta]
token_sha256 = ["{digest("t0k3n-beta")}"]
certificates = ["spiffe://example/beta"]

[tenants.modest]
token_sha256 = ["{digest("t0k3n-modest")}"]
models = ["simulated-*", "exactly-this"]

[tenants.slow]
token_sha256 = ["{digest("t0k3n-slow")}"]
max_turns = 1

[tenants.paced]
token_sha256 = ["{digest("t0k3n-paced")}"]
requests_per_minute = 4

[tenants.small]
token_sha256 = ["{digest("t0k3n-small")}"]
max_sessions = 1
"""


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(reload, "CHECK_EVERY_S", 0.0)
    monkeypatch.setattr(reload, "SETTLED_S", 0.0)


@pytest.fixture
def auth_file(tmp_path):
    path = tmp_path / "tenants.toml"
    path.write_text(TENANTS)
    return path


class Pki:
    """The service's certificate and its callers', good and bad."""

    def __init__(self, folder):
        self.authority = Authority(folder, "authority")
        self.stranger = Authority(folder, "stranger")
        issue = self.authority.issue
        self.server = issue("server", HOST)
        self.server_new = issue("server-new", HOST)
        self.alpha = issue("alpha", "DNS:alpha.example")
        self.by_common_name = issue("alpha-by-common-name")
        self.common_name_does_not_count = issue("alpha.example", "DNS:other.example")
        self.beta = issue("beta", "URI:spiffe://example/beta")
        self.of_two = issue("two", "DNS:alpha.example", "URI:spiffe://example/beta")
        self.proxy = issue("proxy", "DNS:proxy.example")
        self.expired = issue("expired", "DNS:alpha.example", days=-1)
        self.forged = self.stranger.issue("forged", "DNS:alpha.example")

    def settings(self, *, client_ca=False):
        tls = {"TLS_CERT": str(self.server.path), "TLS_KEY": str(self.server.key_path)}
        return tls | ({"TLS_CLIENT_CA": str(self.authority.path)} if client_ca else {})


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))
