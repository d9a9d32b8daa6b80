import pytest

from service.domain.errors import SettingsError
from service.rpc.auth.tls import certificate_names, server_credentials
from tests.integration.auth.pki import Authority
from tests.parts import server_settings


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"), "ca")


def test_without_a_certificate_the_service_speaks_plain_text():
    assert server_credentials(server_settings()) is None


def test_a_certificate_and_its_key_are_accepted(authority):
    issued = authority.issue("good")
    settings = server_settings(
        tls_cert=str(issued.path), tls_key=str(issued.key_path), tls_client_ca=str(authority.path)
    )
    assert server_credentials(settings) is not None


def test_the_key_of_another_certificate_is_refused(authority):
    one, two = authority.issue("one"), authority.issue("two")
    with pytest.raises(SettingsError, match="TRUNKLINE_TLS_CERT") as caught:
        server_credentials(server_settings(tls_cert=str(one.path), tls_key=str(two.key_path)))
    assert str(two.key_path) in str(caught.value)


def test_an_authority_without_certificates_is_refused(authority, tmp_path):
    issued, empty = authority.issue("three"), tmp_path / "ca.pem"
    empty.write_text("nothing")
    settings = server_settings(
        tls_cert=str(issued.path), tls_key=str(issued.key_path), tls_client_ca=str(empty)
    )
    with pytest.raises(SettingsError, match="holds no certificates"):
        server_credentials(settings)


@pytest.mark.parametrize(
    ("context", "names"),
    [
        ({}, set()),
        ({"x509_common_name": [b"a"]}, {"a"}),
        ({"x509_common_name": [b"a"], "x509_subject_alternative_name": [b"b", b"c"]}, {"b", "c"}),
        ({"x509_subject_alternative_name": [b"\xff"]}, {"\ufffd"}),
    ],
)
def test_alternative_names_replace_the_common_one(context, names):
    assert certificate_names(context) == names
