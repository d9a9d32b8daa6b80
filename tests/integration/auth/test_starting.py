"""A process that would not be safe does not start, and says what to do."""

import json

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


@pytest.mark.parametrize("variable", ["AUTH_FILE", "UPSTREAM_KEY_FILE", "TLS_CERT"])
@pytest.mark.parametrize("path", ["/dev/zero", "/proc"])
async def test_what_is_no_file_is_one_line_and_no_hang(variable, path):
    more = {"tls_key": path} if variable == "TLS_CERT" else {}
    (said,) = await refused(**{variable: path}, **more)
    assert said.startswith(f"trunkline: TRUNKLINE_{variable} cannot be used: ")


async def test_a_wrong_variable_of_opentelemetry_is_one_line(monkeypatch):
    monkeypatch.setenv("OTEL_PROPAGATORS", "smoke")
    (said,) = await refused()
    assert said.startswith("trunkline: OTEL_PROPAGATORS must be of what is installed: ")


async def test_an_error_that_nobody_foresaw_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "hook_that_breaks.py").write_text("raise KeyError('s3cret')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with process(payload_hook="hook_that_breaks:tag") as running:
        said = (await running.communicate())[1].decode()
    assert running.returncode == 1
    assert said.startswith("trunkline: KeyError in ")
    assert (said.count("\n"), "Traceback" in said, "s3cret" in said) == (1, False, False)


async def test_short_tokens_and_empty_unknown_names_are_warned_of(monkeypatch):
    monkeypatch.setenv("TRUNKLINE_COOL_DOWN_S", "")
    async with process(auth_tokens="a=a,t0k3n=b," + "x" * 16 + "=c", COOL_DOWN_S="") as running:
        await address_of(running)
        running.terminate()
        said = (await running.communicate())[1].decode()
    warnings = [line["message"] for line in map(json.loads, said.splitlines()) if line["level"] == "warning"]
    assert running.returncode == 0
    assert len(warnings) == 3
    assert "TRUNKLINE_COOL_DOWN_S is not a setting; did you mean TRUNKLINE_COOLDOWN_S?" in warnings[0]
    assert "entry 1 is the tenant's name" in warnings[1]
    assert "entry 2 has fewer than 16 characters" in warnings[2]
    assert "t0k3n" not in said


async def test_with_all_that_it_needs(auth_file, pki):
    async with process(auth_file=str(auth_file), **pki.settings(client_ca=True)) as running:
        await address_of(running)
        running.terminate()
        assert await running.wait() == 0
