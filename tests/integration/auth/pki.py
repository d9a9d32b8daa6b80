"""Certificates for a test, made by openssl: a CA, and what it signs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import grpc

CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
HOST = "IP:127.0.0.1"


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@dataclass(frozen=True)
class Certificate:
    path: Path
    key_path: Path

    @property
    def pem(self) -> bytes:
        return self.path.read_bytes()

    @property
    def key(self) -> bytes:
        return self.key_path.read_bytes()


class Authority:
    """A CA of its own, with its files in the folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._own = self._files(name)
        _openssl("req", "-x509", *CURVE, "-subj", f"/CN={name}", *self._out(self._own), "-days", "2")

    @property
    def path(self) -> Path:
        return self._own.path

    @property
    def pem(self) -> bytes:
        return self._own.pem

    def issue(self, name: str, *subjects: str, days: int = 2) -> Certificate:
        """A certificate with this common name and these alternative ones; -1 days: it ended yesterday."""
        made, asked = self._files(name), self._folder / f"{name}.csr"
        alternative = ("-addext", f"subjectAltName={','.join(subjects)}") if subjects else ()
        wanted = ("req", "-new", *CURVE, "-subj", f"/CN={name}", *alternative)
        _openssl(*wanted, "-keyout", made.key_path, "-out", asked)
        signer = ("-CA", self.path, "-CAkey", self._own.key_path, "-CAcreateserial")
        _openssl(
            "x509",
            "-req",
            "-in",
            asked,
            *signer,
            "-copy_extensions",
            "copy",
            "-days",
            str(days),
            "-out",
            made.path,
        )
        return made

    def _files(self, name: str) -> Certificate:
        return Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")

    def _out(self, files: Certificate) -> tuple[str | Path, ...]:
        return "-keyout", files.key_path, "-out", files.path


def secure(trusted: Authority, shown: Certificate | None = None) -> grpc.ChannelCredentials:
    """What a caller's channel needs: whom it trusts, and what it shows of itself."""
    key, chain = (shown.key, shown.pem) if shown else (None, None)
    return grpc.ssl_channel_credentials(trusted.pem, key, chain)
