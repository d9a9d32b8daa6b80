"""A process that would not be safe does not start, and says what to do."""

import pytest

from tests.integration.rpc.test_process import address_of, process


async def refused(**settings):
    async with process(**settings) as running:
        said = (await running.communicate())[1].decode()
    assert running.returncode == 2
    return said.splitlines()


async def test_beyond_loopback_without_authentication_or_tls():
    nobody, plain = await refused(listen="0.0.0.0:0")
    assert "nobody would have to say who they are; set TRUNKLINE_AUTH_FILE" in nobody
    assert "calls would cross the network as they are; set TRUNKLINE_TLS_CERT" in plain


@pytest.mark.parametrize("variable", ["AUTH_FILE", "UPSTREAM_KEY_FILE"])
async def test_a_file_that_is_not_there(variable, tmp_path):
    missing = tmp_path / "missing"
    (said,) = await refused(**{variable: str(missing)})
    assert said.startswith(f"trunkline: TRUNKLINE_{variable} cannot be used: ")
    assert said.endswith(f"'{missing}'")


async def test_certificates_that_are_none(tmp_path):
    (tmp_path / "empty").touch()
    empty = str(tmp_path / "empty")
    (said,) = await refused(tls_cert=empty, tls_key=empty)
    assert said.startswith("trunkline: TRUNKLINE_TLS_CERT cannot be used: ")


async def test_with_all_that_it_needs(auth_file, pki):
    async with process(auth_file=str(auth_file), **pki.settings(client_ca=True)) as running:
        await address_of(running)
        running.terminate()
        assert await running.wait() == 0
