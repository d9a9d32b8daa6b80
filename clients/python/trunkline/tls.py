"""TLS by files: whom the client trusts, and the certificate that proves who calls."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

File = str | os.PathLike[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """PEM files: the authorities to trust (None: the system's), and a certificate with its key.

    Raises OSError where a file cannot be read, and ValueError where its content is invalid. The files are
    read again when the client connects for the first time after it was made or closed.
    """

    ca: File | None = None
    cert: File | None = None
    key: File | None = None

    def __post_init__(self) -> None:
        self._check()

    def credentials(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(_read(self.ca), _read(self.key), _read(self.cert))

    def _check(self) -> None:
        """grpc itself reports an invalid file only as a connection that fails, without the file's name."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca is not None:
            try:
                context.load_verify_locations(cadata=Path(self.ca).read_text("ascii"))
            except (ssl.SSLError, ValueError) as error:
                raise ValueError(f"ca: {self.ca} holds no certificates") from error
        if (self.cert is None) != (self.key is None):
            raise ValueError("cert and key: one needs the other")
        if self.cert is None or self.key is None:
            return
        for path in (self.cert, self.key):
            _read(path)  # whose error, unlike that of ssl, has the file's name
        try:
            # An empty password, or OpenSSL would ask for one on the terminal.
            context.load_cert_chain(self.cert, self.key, password=lambda: b"")
        except ssl.SSLError as error:
            raise ValueError(
                f"cert and key: {self.cert} and {self.key} are no certificate and its key: {error.reason}"
            ) from error


def _read(path: File | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
