import grpc
import pytest

from tests.integration.auth.pki import Authority
from trunkline import TLS, AsyncClient
from trunkline.settings import Settings


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"), "ca")


def test_files_make_credentials(authority):
    issued = authority.issue("good")
    tls = TLS(ca=authority.path, cert=issued.path, key=str(issued.key_path))
    assert isinstance(Settings(tls=tls).credentials(), grpc.ChannelCredentials)


@pytest.mark.parametrize("name", ["ca", "cert", "key"])
def test_a_missing_file_is_named(authority, name):
    issued = authority.issue("missing")
    files = {"ca": authority.path, "cert": issued.path, "key": issued.key_path} | {name: "/nowhere/x.pem"}
    with pytest.raises(FileNotFoundError, match=r"/nowhere/x\.pem"):
        TLS(**files)


@pytest.mark.parametrize("content", ["", "nothing", "né"])
def test_a_file_without_certificates_is_named(tmp_path, content):
    path = tmp_path / "ca.pem"
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"ca: {path} holds no certificates"):
        TLS(ca=path)


def test_the_key_of_another_certificate_is_refused(authority):
    one, two = authority.issue("one"), authority.issue("two")
    with pytest.raises(ValueError, match=rf"cert and key: {one.path} and {two.key_path}"):
        AsyncClient("h:1", tls=TLS(cert=one.path, key=two.key_path))


@pytest.mark.parametrize("name", ["cert", "key"])
def test_a_certificate_and_its_key_go_together(authority, name):
    with pytest.raises(ValueError, match="one needs the other"):
        TLS(**{name: authority.path})
