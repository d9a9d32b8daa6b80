"""TLS contexts: which certificates the upstream may have, and others that the service connects to."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from service.domain.errors import SettingsError
from service.transport.settings import UpstreamSettings


def context_of(settings: UpstreamSettings) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities and those of TRUNKLINE_UPSTREAM_CA.

    Where neither the upstream nor a proxy is reached by TLS, the system's are left out: to load them is most
    of what it costs to make an Upstream.

    TRUNKLINE_TLS_RELAXED clears VERIFY_X509_STRICT, which Python sets since 3.13, and nothing else: names,
    dates and signatures are still checked.

    Raises SettingsError if a file that the environment names cannot be used.
    """
    if _uses_tls(settings):
        _check_system_paths()
        context = ssl.create_default_context()
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _trust(context, "TRUNKLINE_UPSTREAM_CA", settings.upstream_ca)
    if settings.tls_relaxed:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def trusting(variable: str, path: str) -> ssl.SSLContext:
    """Return a context that trusts the system's authorities and those of the file that the variable names;
    "": none.

    Raises SettingsError if that cannot be used.
    """
    context = ssl.create_default_context()
    _trust(context, variable, path)
    return context


def _uses_tls(settings: UpstreamSettings) -> bool:
    proxy = settings.route.proxy
    return settings.http_url.startswith("https:") or (proxy is not None and proxy.secure)


def _trust(context: ssl.SSLContext, variable: str, path: str) -> None:
    if not path:
        return
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise SettingsError(f"{variable} names {path}, which holds no certificates in PEM") from error
    except OSError as error:
        raise SettingsError(f"{variable} names {path}: {error.strerror}") from error


def _check_system_paths() -> None:
    """Raise SettingsError for missing paths: OpenSSL ignores them, and each connection would fail."""
    paths = ssl.get_default_verify_paths()
    file, folders = (
        os.environ.get(name, "") for name in (paths.openssl_cafile_env, paths.openssl_capath_env)
    )
    if file and not Path(file).is_file():
        raise SettingsError(f"{paths.openssl_cafile_env} names {file}, which is not a file")
    if folders and not any(Path(folder).is_dir() for folder in folders.split(os.pathsep)):
        raise SettingsError(f"{paths.openssl_capath_env} names {folders}, which is not a folder")
