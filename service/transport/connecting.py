"""Classify failures to connect: for the caller, and for the log.

A caller receives the kind only. Addresses, certificates and proxies concern the operator: they are logged, at
most one line a minute for each kind, since a thousand turns may fail for the same cause.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import ssl
import time
from collections.abc import Iterator

import httpx
from websockets.exceptions import InvalidProxyStatus, ProxyError

from service.domain.errors import Reason, TurnError
from service.domain.proxy import ProxyRoute

logger = logging.getLogger(__name__)

SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
"""The errors of a system that has no file, port or memory left."""

RETRY_AFTER_SHORTAGE_S = 1.0
LOG_EVERY_S = 60.0
MAX_KINDS = 32
MAX_DETAIL = 500

MAX_CHAIN = 16

CERTIFICATE_ADVICE = (
    "if the network replaces certificates, name its CA in TRUNKLINE_UPSTREAM_CA;"
    " if only the form of a certificate is refused (Authority Key Identifier), set TRUNKLINE_TLS_RELAXED=1"
)


class Connecting:
    """Classify the failures of one route."""

    def __init__(self, route: ProxyRoute) -> None:
        self.proxied = route.proxy is not None
        self._logged: dict[str, float] = {}

    def failed(self, what: str, error: Exception) -> TurnError:
        """Return the error of `what`, such as "cannot open a WebSocket": nothing was sent."""
        chain = tuple(_chain(error))
        if _is_shortage(chain):
            self._log("a shortage on this machine", chain)
            message = f"{what}: this replica has no file, port or memory left for a connection"
            return TurnError(Reason.OVERLOADED, message, retry_after=RETRY_AFTER_SHORTAGE_S)
        kind = self._kind(chain)
        self._log(f"{what}: {kind}", chain)
        return TurnError(Reason.CONNECT_FAILED, f"{what}: {kind}")

    def refused_by_proxy(self, what: str, status: int) -> TurnError:
        """Return the error for a proxy that answered in place of the upstream."""
        kind = f"the proxy refused the connection with HTTP {status}"
        self._log(f"{what}: {kind}", ())
        return TurnError(Reason.CONNECT_FAILED, f"{what}: {kind}")

    def answered(self, error: TurnError) -> TurnError:
        """Return the upstream's refusal, and log it if it shows that the configuration is wrong."""
        status = error.upstream.status if error.upstream is not None else 0
        if status in (404, 405) and error.reason is Reason.UPSTREAM_ERROR:
            self._log(error.message, ())
        return error

    def _kind(self, chain: tuple[BaseException, ...]) -> str:
        for error in chain:
            if kind := _of_proxy(error) or _of_tls(error) or self._of_network(error):
                return kind
        if any(isinstance(error, OSError) for error in chain):
            return f"no address of {self._peer()} took the connection"
        where = "through the proxy: " if self.proxied else ""
        return f"{where}{type(chain[0]).__name__}: {chain[0]}"

    def _of_network(self, error: BaseException) -> str:
        match error:
            case httpx.ConnectTimeout():
                return f"{self._peer()} did not answer in time (TRUNKLINE_CONNECT_TIMEOUT_S)"
            case socket.gaierror():
                return f"the name of {self._peer()} cannot be resolved"
            case OSError() if error.errno:
                return f"{self._peer()}: {os.strerror(error.errno)}"
        return ""

    def _peer(self) -> str:
        return "the proxy" if self.proxied else "the upstream"

    def _log(self, kind: str, chain: tuple[BaseException, ...]) -> None:
        moment = time.monotonic()
        self._logged = {kind: at for kind, at in self._logged.items() if moment - at < LOG_EVERY_S}
        if kind in self._logged or len(self._logged) >= MAX_KINDS:
            return
        self._logged[kind] = moment
        detail = next((f"{type(error).__name__}: {error}" for error in reversed(chain) if str(error)), "")
        advice = (
            CERTIFICATE_ADVICE
            if any(isinstance(error, ssl.SSLCertVerificationError) for error in chain)
            else ""
        )
        logger.warning("%s", "; ".join(filter(None, (kind, detail[:MAX_DETAIL], advice))))


def _of_proxy(error: BaseException) -> str:
    match error:
        case InvalidProxyStatus():
            return f"the proxy refused the connection with HTTP {error.response.status_code}"
        case httpx.ProxyError():
            return f"the proxy refused the connection with HTTP {str(error)[:3]}"
        case ProxyError():
            return "the proxy did not answer in HTTP"
    return ""


def _of_tls(error: BaseException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return "the certificate is not trusted"
        case ssl.SSLError():
            return "TLS failed"
    return ""


def _is_shortage(chain: tuple[BaseException, ...]) -> bool:
    if any(isinstance(error, OSError) and error.errno in SHORTAGES for error in chain):
        return not any(isinstance(error, ssl.SSLError) for error in chain)
    # The resolver, and a list of failed addresses, do not report the cause.
    return not _can_open_file()


def _can_open_file() -> bool:
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno not in SHORTAGES
    return True


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes, those of groups included, the outermost first."""
    waiting, seen = [error], 0
    while waiting and seen < MAX_CHAIN:
        current = waiting.pop(0)
        seen += 1
        yield current
        if isinstance(current, BaseExceptionGroup):
            waiting.extend(current.exceptions)
        cause = current.__cause__ or current.__context__
        if cause is not None:
            waiting.append(cause)
