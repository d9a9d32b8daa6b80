"""What changes while the service runs: tenants, certificates, keys. Here a file is looked at each time."""

import asyncio
import logging
import shutil
import ssl

import grpc
import pytest

from service.domain.errors import SettingsError
from tests.integration.auth.conftest import TENANTS, digest
from tests.integration.auth.doors import Knock, bearer, outcome, payer
from tests.integration.auth.pki import secure
from tests.integration.service.talk import SSE, WEBSOCKET, Talk, context
from tests.stack import request

ALPHA = bearer("t0k3n-alpha")


async def said(replica, metadata=ALPHA, **more):
    return (await outcome(Knock(replica.channel, metadata, **more).complete))[0]


async def test_tenants_come_go_and_change(start, auth_file):
    replica = await start({"AUTH_FILE": str(auth_file)})
    assert await said(replica) == "OK"
    assert await said(replica, bearer("t0k3n-delta")) == "UNAUTHENTICATED"
    auth_file.write_text(f'[tenants.delta]\ntoken_sha256 = ["{digest("t0k3n-delta")}"]\nmodels = ["one"]')
    assert await said(replica) == "UNAUTHENTICATED", "the same connection, the next call"
    assert await said(replica, bearer("t0k3n-delta"), model="one") == "OK"
    assert await said(replica, bearer("t0k3n-delta")) == "PERMISSION_DENIED"
    auth_file.write_text(TENANTS)
    assert await said(replica) == "OK"


ONLY_DELTA = "[tenants.delta]"

BROKEN = {
    "cut to nothing": "",
    "no tenants": "# later",
    "deep": "x = " + "[" * 5000,
    "too large": "#" * (1024 * 1024 + 1),
    "no TOML": '[tenants.alpha\ntoken_sha256 = "t0k3n-alpha"',
    "a token instead of its hash": '[tenants.alpha]\ntoken_sha256 = ["t0k3n-alpha"]',
    "an unknown word": '[tenants.alpha]\ntokens = ["t0k3n-alpha"]',
    "a limit of none": "[tenants.alpha]\nmax_turns = 0",
    "no models": "[tenants.alpha]\nmodels = []",
    "a star in the middle": '[tenants.alpha]\nmodels = ["t0k3n*alpha"]',
    "a tenant without a name": '[tenants.""]',
    "a token twice": f'{TENANTS}\n[tenants.twin]\ntoken_sha256 = ["{digest("t0k3n-alpha")}"]',
    "a certificate twice": f'{TENANTS}\n[tenants.twin]\ncertificates = ["alpha.example"]',
    "not text": "\udcff",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
async def test_a_broken_file_changes_nothing_and_is_reported_once(start, auth_file, caplog, text):
    replica = await start({"AUTH_FILE": str(auth_file)})
    auth_file.write_bytes(text.encode(errors="surrogateescape"))
    assert [await said(replica) for _ in range(3)] == ["OK"] * 3
    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert record.getMessage().startswith("TRUNKLINE_AUTH_FILE is broken, what it said before still holds: ")
    assert "t0k3n" not in caplog.text
    auth_file.write_text(ONLY_DELTA)
    assert await said(replica) == "UNAUTHENTICATED", "mended, it counts"


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
async def test_a_broken_file_at_the_start_is_refused(start, auth_file, text):
    auth_file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(SettingsError, match="TRUNKLINE_AUTH_FILE cannot be used: ") as caught:
        await start({"AUTH_FILE": str(auth_file)})
    assert "t0k3n" not in str(caught.value)


async def test_a_file_that_is_gone_is_missed_and_still_holds(start, auth_file, caplog):
    replica = await start({"AUTH_FILE": str(auth_file)})
    auth_file.unlink()
    assert [await said(replica) for _ in range(3)] == ["OK"] * 3
    assert caplog.text.count("TRUNKLINE_AUTH_FILE is broken") == 1
    auth_file.write_text(ONLY_DELTA)
    assert await said(replica) == "UNAUTHENTICATED"


async def test_a_file_cut_off_anywhere_widens_no_rights(start, auth_file):
    """At each length, as a full disk or a slow writer leaves it."""
    replica = await start({"AUTH_FILE": str(auth_file), "AUTH_TOKENS": "t0k3n-of-the-environment=modest"})
    for size in range(0, len(TENANTS), 7):
        auth_file.write_text(TENANTS[:size])
        for token in ("t0k3n-modest", "t0k3n-of-the-environment"):
            assert await said(replica, bearer(token), model="other") in (
                "PERMISSION_DENIED",
                "UNAUTHENTICATED",
            ), size
    auth_file.write_text(TENANTS)
    assert await said(replica, bearer("t0k3n-modest"), model="exactly-this") == "OK"


async def test_a_limit_is_lifted_by_saying_so(start, auth_file, caplog):
    replica = await start({"AUTH_FILE": str(auth_file)})
    auth_file.write_text(TENANTS.replace('models = ["simulated-*", "exactly-this"]', ""))
    assert await said(replica, bearer("t0k3n-modest"), model="other") == "PERMISSION_DENIED"
    assert "tenant modest: models was there before and is missing" in caplog.text
    auth_file.write_text(TENANTS.replace('models = ["simulated-*", "exactly-this"]', 'models = ["*"]'))
    assert await said(replica, bearer("t0k3n-modest"), model="other") == "OK"


async def shown(replica, pki):
    """The certificate that a new connection is shown."""
    context = ssl.create_default_context(cadata=pki.authority.pem.decode())
    context.set_alpn_protocols(["h2"])
    host, _, port = replica.address.rpartition(":")
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    certificate = writer.get_extra_info("ssl_object").getpeercert()
    writer.transport.abort()
    return dict(name for (name,) in certificate["subject"])["commonName"]


@pytest.fixture
def served(tmp_path, pki):
    """The service's certificate, in files that a test may change."""
    paths = {"TLS_CERT": tmp_path / "cert.pem", "TLS_KEY": tmp_path / "key.pem"}

    def serve(certificate):
        shutil.copy(certificate.key_path, paths["TLS_KEY"])
        shutil.copy(certificate.path, paths["TLS_CERT"])
        return {name: str(path) for name, path in paths.items()}

    return serve


async def test_a_new_certificate_serves_new_connections(start, pki, served, caplog):
    replica = await start(served(pki.server))
    async with grpc.aio.secure_channel(replica.address, secure(pki.authority)) as channel:
        old = Knock(channel)
        assert (await outcome(old.complete))[0] == "OK"
        assert await shown(replica, pki) == "server"
        tls = served(pki.server_new)
        assert await shown(replica, pki) == "server-new"
        assert (await outcome(old.complete))[0] == "OK", "what is open stays open"
    shutil.copy(pki.server.key_path, tls["TLS_KEY"])
    assert await shown(replica, pki) == "server-new", "half of a pair changes nothing"
    assert "TRUNKLINE_TLS_CERT is broken" in caplog.text
    served(pki.server)
    assert await shown(replica, pki) == "server"


async def test_a_new_authority_for_callers(start, pki, tmp_path):
    trusted = tmp_path / "ca.pem"
    shutil.copy(pki.authority.path, trusted)
    replica = await start(pki.settings() | {"TLS_CLIENT_CA": str(trusted)})

    async def answer(certificate):
        credentials = secure(pki.authority, certificate)
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.secure_channel(replica.address, credentials, options) as channel:
            return (await outcome(Knock(channel).complete))[0]

    assert (await answer(pki.alpha), await answer(pki.forged)) == ("OK", "UNAVAILABLE")
    shutil.copy(pki.stranger.path, trusted)
    assert (await answer(pki.alpha), await answer(pki.forged)) == ("UNAVAILABLE", "OK")


async def test_certificates_that_cannot_be_served_are_refused_at_the_start(start, pki, tmp_path):
    empty = tmp_path / "empty.pem"
    empty.touch()
    good = pki.settings(client_ca=True)
    cases = {
        "no certificate and its key": good | {"TLS_KEY": str(pki.alpha.key_path)},
        "no certificate and its key:": good | {"TLS_CERT": str(empty)},
        "holds no certificates": good | {"TLS_CLIENT_CA": str(empty)},
        "No such file": good | {"TLS_CERT": str(tmp_path / "missing.pem")},
    }
    for says, settings in cases.items():
        with pytest.raises(SettingsError, match=f"TRUNKLINE_TLS_CERT cannot be used: .*{says}"):
            await start(settings)


async def test_a_new_upstream_key_pays_for_new_lines_and_posts(start, tmp_path, caplog):
    key = tmp_path / "key"
    key.write_text("sk-0ld\n")
    replica = await start({"UPSTREAM_KEY_FILE": str(key)}, key="")
    talk = Talk(replica)
    await talk.say("Hello.", options=WEBSOCKET)
    key.write_text("sk-n3w\n")
    assert context(await talk.say("And?")) == (True, "continued"), "a line that is open keeps its key"
    await replica.done(request("Hello.", session="s2"))
    await replica.done(request("Hello.", session="s3", options=SSE))
    assert [payer(received) for received in replica.simulator.requests] == [
        "sk-0ld",
        "sk-0ld",
        "sk-n3w",
        "sk-n3w",
    ]
    key.write_text("two words")
    await replica.done(request("Hello.", session="s4"))
    assert payer(replica.simulator.requests[-1]) == "sk-n3w"
    assert "TRUNKLINE_UPSTREAM_KEY_FILE is broken" in caplog.text
    assert "two words" not in caplog.text
    assert "sk-" not in caplog.text


@pytest.mark.parametrize("text", ["", "\n", "two words"])
async def test_no_upstream_key_in_the_file_is_refused_at_the_start(start, tmp_path, text):
    key = tmp_path / "key"
    key.write_text(text)
    with pytest.raises(SettingsError, match="TRUNKLINE_UPSTREAM_KEY_FILE cannot be used: ") as caught:
        await start({"UPSTREAM_KEY_FILE": str(key)}, key="")
    assert "two" not in str(caught.value)
