"""deploy/healthcheck.py as a process. The service beside it is one, too, if more than its answer matters."""

import asyncio
import re
import runpy
import signal
import sys
from pathlib import Path

import pytest

from tests.integration.rpc.test_process import address_of, process
from tests.ports import free_ports

ROOT = Path(__file__).parents[3]
PROBE = ROOT / "deploy/healthcheck.py"
PATIENT = f"""
import sys
sys.path.insert(0, {str(PROBE.parent)!r})
import healthcheck
healthcheck.TIMEOUT_S = 60.0
sys.exit(healthcheck.main())
"""
"""The same with more time: a busy machine may need longer for an answer than a container may."""


async def probe(address, program=("-c", PATIENT), **settings):
    """Its exit code, and what it says."""
    environ = {f"TRUNKLINE_{name.upper()}": value for name, value in settings.items()}
    # As a container has it whose upstream is behind a proxy.
    environ |= {"TRUNKLINE_LISTEN": address, "https_proxy": "http://127.0.0.1:9"}
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        *program,
        env=environ,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    said = (await running.communicate())[1].decode()
    return running.returncode, said


def settings_of(certificate, client_ca=None):
    tls = {"tls_cert": str(certificate.path), "tls_key": str(certificate.key_path)}
    return tls | ({"tls_client_ca": str(client_ca.path)} if client_ca else {})


async def address_in_process(start, settings):
    """Where the whole service listens with these settings."""
    return (await start({name.upper(): value for name, value in settings.items()})).address


async def test_plain():
    async with process() as running:
        assert await probe(await address_of(running)) == (0, "")


@pytest.mark.parametrize(
    "names",
    [
        ("IP:127.0.0.1",),
        ("IP:2001:db8::1",),
        ("DNS:trunkline.example",),
        ("DNS:*.trunkline.example", "IP:192.0.2.1"),
        (),
    ],
    ids=str,
)
async def test_tls_whatever_name_callers_know_the_service_by(start, pki, names):
    settings = settings_of(pki.authority.issue("trunkline", *names))
    assert await probe(await address_in_process(start, settings), **settings) == (0, "")


async def test_a_certificate_without_a_name_that_grpc_could_check_is_reported(start, pki):
    settings = settings_of(pki.authority.issue("trunkline", "URI:spiffe://example/trunkline"))
    assert await probe(await address_in_process(start, settings), **settings) == (
        1,
        "unhealthy: TRUNKLINE_TLS_CERT has neither a DNS name nor an address, and grpc insists on one\n",
    )


async def test_mutual_tls(pki):
    settings = settings_of(pki.server, pki.authority)
    async with process(**settings) as running:
        assert await probe(await address_of(running), **settings) == (0, "")
        running.terminate()
        # It has met nobody whom it had to turn away.
        assert b"andshake" not in (await running.communicate())[1]


async def test_a_certificate_that_does_not_serve_as_a_callers_is_reported(start, pki):
    settings = settings_of(pki.server, pki.stranger)
    code, said = await probe(await address_in_process(start, settings), **settings)
    assert code == 1
    assert said.startswith("unhealthy: UNAVAILABLE: ")
    assert said.endswith(
        "does TRUNKLINE_TLS_CLIENT_CA sign TRUNKLINE_TLS_CERT, for clients too? This check shows it\n"
    )


async def test_a_certificate_that_has_expired_is_reported(start, pki):
    settings = settings_of(pki.expired)
    code, said = await probe(await address_in_process(start, settings), **settings)
    assert (code, "certificate has expired" in said) == (1, True)


async def test_another_certificate_than_the_services_is_not_trusted(start, pki):
    address = await address_in_process(start, settings_of(pki.server))
    code, said = await probe(address, **settings_of(pki.server_new))
    assert (code, "certificate verify failed" in said) == (1, True)


async def test_a_certificate_that_is_not_there(tmp_path):
    missing = str(tmp_path / "missing.pem")
    code, said = await probe("127.0.0.1:9", tls_cert=missing, tls_key=missing)
    assert (code, said) == (1, f"unhealthy: [Errno 2] No such file or directory: '{missing}'\n")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_nobody_is_there(pki, tls):
    address = f"127.0.0.1:{free_ports(1)[0]}"
    code, said = await probe(address, **(settings_of(pki.server) if tls else {}))
    assert (code, "Connection refused" in said, said.count("\n")) == (1, True, 1)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_service_that_does_not_answer_is_unhealthy_in_time(pki, tls):
    settings = settings_of(pki.server) if tls else {}
    async with process(**settings) as running:
        address = await address_of(running)
        assert await probe(address, **settings) == (0, "")
        running.send_signal(signal.SIGSTOP)
        code, said = await probe(address, (PROBE,), **settings)
    assert (code, said.count("\n")) == (1, 1)
    assert "timed out" in said if tls else "DEADLINE_EXCEEDED" in said


def test_the_image_allows_a_handshake_and_a_call():
    image = (ROOT / "Dockerfile").read_text()
    (check,) = re.findall(r"HEALTHCHECK .*--timeout=(\d+)s .*healthcheck\.py", image)
    assert 2 * runpy.run_path(str(PROBE))["TIMEOUT_S"] < int(check)


async def test_a_service_that_drains():
    async with process(drain_notice_s="60") as running:
        address = await address_of(running)
        running.terminate()
        await running.stderr.readline()  # it says that it drains
        assert await probe(address) == (1, "unhealthy: NOT_SERVING\n")
