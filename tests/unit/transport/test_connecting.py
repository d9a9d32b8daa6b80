import errno
import os
import resource
import socket
import ssl
import time

import httpx
import pytest
from websockets.exceptions import InvalidMessage, InvalidProxyMessage

from service.config.proxies import route_to
from service.domain.errors import Reason
from service.domain.proxy import DIRECT
from service.transport import connecting
from service.transport.connecting import Connecting

WHAT = "cannot open a WebSocket"
ADDRESS = "10.9.8.7"
PROXIED = route_to("https://upstream.test", {"HTTPS_PROXY": "http://me:secret@proxy:1"})


def system(number: int) -> OSError:
    return OSError(number, f"Connect call failed ('{ADDRESS}', 443)")


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def untrusted() -> ssl.SSLCertVerificationError:
    return ssl.SSLCertVerificationError(1, f"certificate verify failed: self-signed at {ADDRESS}")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (system(errno.ECONNREFUSED), "the upstream: Connection refused"),
        (
            caused(httpx.ConnectError("All failed"), system(errno.EHOSTUNREACH)),
            "the upstream: No route to host",
        ),
        (OSError(f"Multiple exceptions: {ADDRESS}"), "no address of the upstream took the connection"),
        (socket.gaierror(-2, "Name or service not known"), "the name of the upstream cannot be resolved"),
        (httpx.ConnectTimeout(""), "the upstream did not answer in time (TRUNKLINE_CONNECT_TIMEOUT_S)"),
        (untrusted(), "the certificate is not trusted"),
        (caused(httpx.ConnectError(ADDRESS), untrusted()), "the certificate is not trusted"),
        (ssl.SSLError(1, f"wrong version number {ADDRESS}"), "TLS failed"),
        (httpx.ProxyError("502 Bad Gateway"), "the proxy refused the connection with HTTP 502"),
        (InvalidProxyMessage(ADDRESS), "the proxy did not answer in HTTP"),
        (InvalidMessage("no valid HTTP response"), "InvalidMessage: no valid HTTP response"),
    ],
)
def test_the_caller_hears_the_kind_and_the_log_the_rest(error, kind, caplog):
    reported = Connecting(DIRECT).failed(WHAT, error)
    assert (reported.reason, reported.message) == (Reason.CONNECT_FAILED, f"{WHAT}: {kind}")
    assert reported.upstream is None
    assert ADDRESS not in reported.message
    assert caplog.text.count(kind) >= 1
    assert (ADDRESS in caplog.text) == any(ADDRESS in str(one) for one in connecting._chain(error))


def test_behind_a_proxy_it_is_the_proxy_that_was_not_reached():
    reported = Connecting(PROXIED).failed(WHAT, system(errno.ECONNREFUSED))
    assert reported.message == f"{WHAT}: the proxy: Connection refused"


@pytest.mark.parametrize("number", sorted(connecting.SHORTAGES))
def test_a_shortage_of_this_machine_is_its_own(number):
    group = ExceptionGroup("all", [system(errno.ECONNREFUSED), system(number)])
    reported = Connecting(DIRECT).failed(WHAT, caused(httpx.ConnectError("All failed"), group))
    assert (reported.reason, reported.retry_after) == (Reason.OVERLOADED, connecting.RETRY_AFTER_SHORTAGE_S)
    assert ADDRESS not in reported.message


def test_a_failure_that_hides_a_lack_of_files_is_found_out():
    """The resolver says no more than that it failed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    error = socket.gaierror(-3, "Temporary failure in name resolution")
    taken = os.open(os.devnull, os.O_RDONLY)
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken, hard))
    try:
        reported = Connecting(DIRECT).failed(WHAT, error)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        os.close(taken)
    assert reported.reason is Reason.OVERLOADED


def test_the_log_says_it_once_a_minute(caplog, monkeypatch):
    moment = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: moment)
    house = Connecting(DIRECT)
    for _ in range(5):
        house.failed(WHAT, untrusted())
    house.failed(WHAT, system(errno.ECONNREFUSED))
    assert len(caplog.records) == 2
    assert "TRUNKLINE_UPSTREAM_CA" in caplog.text
    moment += connecting.LOG_EVERY_S
    house.failed(WHAT, untrusted())
    assert len(caplog.records) == 3


def test_kinds_without_end_are_not_logged_without_end(caplog):
    house = Connecting(DIRECT)
    for number in range(10 * connecting.MAX_KINDS):
        house.failed(WHAT, InvalidMessage(f"number {number}"))
    assert len(caplog.records) == connecting.MAX_KINDS
