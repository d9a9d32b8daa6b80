"""Set up TLS towards callers and read the names in their certificates.

Renewed certificate files apply to new connections; open connections keep the certificate they began with.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import grpc

from service.reload import MAX_PEM_BYTES, Watched, read
from service.rpc.settings import ServerSettings

SUBJECT_NAMES = "x509_subject_alternative_name"
COMMON_NAME = "x509_common_name"
"""The keys of grpc's auth context."""


@dataclass(frozen=True, slots=True)
class _Files:
    """The contents of the files. `client_ca` None: callers need no certificate."""

    chain: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration([(self.key, self.chain)], self.client_ca)


def server_credentials(settings: ServerSettings) -> grpc.ServerCredentials | None:
    """Return the credentials. Returns None without TLS. Raises SettingsError when the files are invalid."""
    if not settings.tls_cert:
        return None
    paths = [path for path in (settings.tls_cert, settings.tls_key, settings.tls_client_ca) if path]
    files = Watched(
        "TRUNKLINE_TLS_CERT",
        paths,
        lambda: _read(settings.tls_cert, settings.tls_key, settings.tls_client_ca),
    )
    served = files.current()

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        """Return a renewed configuration; grpc asks before each handshake, in a thread. None: unchanged."""
        nonlocal served
        now = files.current()
        if now is served:
            return None
        served = now
        return now.configuration()

    return grpc.dynamic_ssl_server_credentials(
        served.configuration(),
        renewed,  # type: ignore[arg-type]  # its stubs forget the None
        require_client_authentication=bool(settings.tls_client_ca),
    )


def certificate_names(auth_context: Mapping[str, Iterable[bytes]]) -> set[str]:
    """Return the alternative names of the caller's certificate, or its common name if it has none."""
    names = auth_context.get(SUBJECT_NAMES) or auth_context.get(COMMON_NAME) or ()
    return {name.decode(errors="replace") for name in names}


def _read(chain: str, key: str, client_ca: str) -> _Files:
    """Read and check the files. Raises ValueError or OSError that names the file."""
    authority = read(client_ca, MAX_PEM_BYTES) if client_ca else None
    files = _Files(read(chain, MAX_PEM_BYTES), read(key, MAX_PEM_BYTES), authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An empty password, or OpenSSL would ask for one on the terminal.
        context.load_cert_chain(chain, key, password=lambda: b"")
    except ssl.SSLError as error:
        raise ValueError(f"{chain} and {key} are no certificate and its key: {error.reason}") from error
    try:
        if authority is not None:
            context.load_verify_locations(cadata=authority.decode())
    except (ssl.SSLError, ValueError) as error:
        raise ValueError(f"{client_ca} holds no certificates") from error
    return files
