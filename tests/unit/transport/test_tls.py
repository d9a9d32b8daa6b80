import asyncio
import ssl
import subprocess

import pytest

from service.config.settings import load
from service.domain.errors import SettingsError
from service.transport.settings import UpstreamSettings
from service.transport.tls import context_of, trusting
from tests.integration.auth.pki import Authority

HTTPS = {"OPENAI_API_KEY": "k"}
HTTP = {"TRUNKLINE_UPSTREAM_URL": "http://upstream.test/v1"}
VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"), "authority")


def context(**settings: str) -> ssl.SSLContext:
    return context_of(
        load(HTTPS | {f"TRUNKLINE_{name}": value for name, value in settings.items()}).part(UpstreamSettings)
    )


def problem(environ=HTTPS, **settings: str) -> str:
    with pytest.raises(SettingsError) as caught:
        context_of(
            load(environ | {f"TRUNKLINE_{name}": value for name, value in settings.items()}).part(
                UpstreamSettings
            )
        )
    (line,) = caught.value.problems
    assert "\n" not in line
    return line


def test_an_authority_is_trusted_besides_the_systems(authority):
    added = context(UPSTREAM_CA=str(authority.path)).cert_store_stats()["x509_ca"]
    assert added == context().cert_store_stats()["x509_ca"] + 1


def test_nobody_is_trusted_where_nothing_is_reached_by_tls(authority):
    def trusted(**environ):
        context = context_of(load(HTTP | environ).part(UpstreamSettings))
        assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
        return context.cert_store_stats()["x509_ca"]

    assert trusted() == 0
    assert trusted(TRUNKLINE_UPSTREAM_CA=str(authority.path)) == 1
    assert trusted(HTTP_PROXY="https://proxy") == context().cert_store_stats()["x509_ca"] > 0


def test_a_broken_authority_of_another_setting_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"^TRUNKLINE_JWT_CA names .*ca\.pem: No such file"):
        trusting("TRUNKLINE_JWT_CA", str(tmp_path / "ca.pem"))


@pytest.mark.parametrize(
    "text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
def test_a_broken_authority_is_refused(tmp_path, text):
    path = tmp_path / "ca.pem"
    path.write_text(text)
    assert (
        problem(UPSTREAM_CA=str(path))
        == f"TRUNKLINE_UPSTREAM_CA names {path}, which holds no certificates in PEM"
    )


def test_a_missing_authority_is_refused(tmp_path):
    path = tmp_path / "none"
    assert problem(UPSTREAM_CA=str(path)) == f"TRUNKLINE_UPSTREAM_CA names {path}: No such file or directory"
    assert problem(HTTP, UPSTREAM_CA=str(path))


@pytest.mark.parametrize("name", VARIABLES)
def test_a_system_path_that_is_not_there_is_refused(monkeypatch, name):
    monkeypatch.setenv(name, "/nowhere")
    assert problem().startswith(f"{name} names /nowhere, which is not a f")
    assert problem(HTTP | {"HTTP_PROXY": "https://proxy"}).startswith(name)
    context_of(load(HTTP).part(UpstreamSettings))  # nothing is checked there


def test_one_of_several_folders_is_enough(monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_DIR", f"/nowhere:{tmp_path}")
    context()


def strict(monkeypatch) -> None:
    """The default of Python 3.13, on any Python."""
    default = ssl.create_default_context

    def made() -> ssl.SSLContext:
        context = default()
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", made)


def test_relaxed_takes_back_one_flag_and_no_more(monkeypatch):
    strict(monkeypatch)
    usual, relaxed = context(), context(TLS_RELAXED="1")
    assert usual.verify_flags ^ relaxed.verify_flags == ssl.VERIFY_X509_STRICT
    assert relaxed.check_hostname
    assert relaxed.verify_mode == ssl.CERT_REQUIRED


class Corporate(Authority):
    """A CA without an Authority Key Identifier in what it signs, as boxes that replace them have it."""

    def sign(self, folder, name: str, days: int = 2) -> ssl.SSLContext:
        made = self.issue(name, f"DNS:{name}", days=days)
        bare = folder / "extensions"
        bare.write_text(f"subjectAltName=DNS:{name}\nauthorityKeyIdentifier=none\n")
        subprocess.run(
            ["openssl", "x509", "-req", "-in", folder / f"{name}.csr", "-CA", self.path, "-CAcreateserial",
             "-CAkey", self.path.with_suffix(".key"), "-days", str(days), "-extfile", bare,
             "-out", made.path],
            check=True, capture_output=True,
        )  # fmt: skip
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(made.path, made.key_path)
        return context


@pytest.fixture(scope="module")
def corporate(tmp_path_factory):
    return Corporate(tmp_path_factory.mktemp("corporate"), "corporate")


async def shaken(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> str:
    """What verification says of the server; empty: it is trusted."""
    listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=server)
    try:
        port = listener.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=name)
        writer.close()
        await writer.wait_closed()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    finally:
        listener.close()
        await listener.wait_closed()
    return ""


async def test_a_corporate_certificate_needs_it_and_its_name_still_counts(monkeypatch, tmp_path, corporate):
    server = corporate.sign(corporate.path.parent, "upstream.test")
    strict(monkeypatch)
    trusting = {"UPSTREAM_CA": str(corporate.path)}
    assert "Authority Key Identifier" in await shaken(context(**trusting), server, "upstream.test")
    relaxed = context(**trusting, TLS_RELAXED="1")
    assert await shaken(relaxed, server, "upstream.test") == ""
    assert "Hostname mismatch" in await shaken(relaxed, server, "other.test")
    assert await shaken(context(TLS_RELAXED="1"), server, "upstream.test")  # its CA is unknown


async def test_a_certificate_that_has_ended_is_refused_relaxed_too(corporate):
    server = corporate.sign(corporate.path.parent, "old.test", days=-1)
    relaxed = context(UPSTREAM_CA=str(corporate.path), TLS_RELAXED="1")
    assert "expired" in await shaken(relaxed, server, "old.test")
