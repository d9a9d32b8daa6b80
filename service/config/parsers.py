"""Parse the text of a setting: one function for each format, text → value.

Raises ValueError in words that follow a variable's name ("must be …") and never repeat what may be a secret.
"""

from __future__ import annotations

import math
import re
import socket
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from service.config.proxies import is_loopback
from service.domain.tenant import parse_key

MAX_SECONDS = 365 * 86_400
MAX_COUNT = 2**30
MAX_NAME = 256
ENDPOINTS = ("/responses", "/chat/completions", "/completions")
"""Ends of URLs that are often given in place of the base."""
OWN_HEADERS = frozenset({
    "accept", "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "cookie",
    "expect", "host", "keep-alive", "proxy-authorization", "te", "traceparent", "tracestate", "trailer",
    "transfer-encoding", "upgrade", "user-agent",
})  # fmt: skip
"""Headers that the service sets itself, or that belong to the connection."""
KEY_HEADERS = frozenset({"authorization", "api-key"})
MAX_HEADERS = 32
MAX_HEADER = 4096
ALGORITHMS = frozenset(
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
)
"""Of signatures with a public key. With a symmetric one, whoever can verify could sign."""

SECRET_METADATA = frozenset(
    ["authorization", "proxy-authorization", "cookie", "x-upstream-key", "api-key", "x-api-key"]
)
MAX_CALLER_ATTRIBUTES = 8
TUNING = frozenset(
    {"frame-splitting", "gc", "malloc", "paced-loop", "scheduler", "switch-interval", "tls-buffers"}
)
"""The pieces of `service.runtime.process`, and the splitting of frames in `service.transport`."""


def positive_seconds(text: str) -> float:
    if (value := zero_seconds(text)) == 0:
        raise ValueError("must be more than 0 seconds")
    return value


def zero_seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) or not math.isfinite(value := float(text)):
        raise ValueError("must be seconds as a decimal number, like 30 or 0.5")
    if value > MAX_SECONDS:
        raise ValueError(f"must be at most {MAX_SECONDS} seconds (a year)")
    return value


def positive_count(text: str) -> int:
    if (value := zero_count(text)) == 0:
        raise ValueError("must be at least 1")
    return value


def zero_count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,12}", text) or (value := int(text)) > MAX_COUNT:
        raise ValueError(f"must be a whole number from 0 to {MAX_COUNT}")
    return value


def optional_count(text: str) -> int | None:
    return positive_count(text) if text else None


def flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError("must be 1 (yes) or 0 (no)")
    return text == "1"


def optional_flag(text: str) -> bool | None:
    return flag(text) if text else None


def address(text: str) -> str:
    """Parse HOST:PORT, an IPv6 host in brackets."""
    if not text:
        return ""
    host, colon, port = text.rpartition(":")
    whole = re.fullmatch(r"[!-~]+", host) is not None
    bare = whole and (":" not in host or (host.startswith("[") and host.endswith("]")))
    if not (
        colon
        and re.fullmatch(r"[!-~]+", host)
        and bare
        and re.fullmatch(r"[0-9]{1,5}", port)
        and int(port) <= 65_535
    ):
        raise ValueError("must be HOST:PORT, like 127.0.0.1:50051 or [::1]:50051; port 0 takes a free one")
    return text


def url(text: str) -> str:
    """Return the base of the API and its query, the scheme in lower case. No error repeats it: it may hold a
    password.
    """
    try:
        parts = urlsplit(text)
        sound = bool(parts.scheme in ("http", "https") and parts.hostname and parts.port != 0)
    except ValueError:  # its brackets or its port
        parts, sound = urlsplit(""), False
    if parts.scheme in ("ws", "wss"):
        raise ValueError("must be an http or https URL; the WebSocket's address is made from it")
    if not sound or not re.fullmatch(r"[!-~]+", text):
        raise ValueError("must be an http or https URL, like https://api.openai.com/v1")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold credentials; put the key into OPENAI_API_KEY")
    if parts.fragment:
        raise ValueError("must not hold #; drop what follows it")
    path = parts.path.rstrip("/")
    if "//" in path:
        raise ValueError("must not hold // in its path")
    if wrong := next((end for end in ENDPOINTS if path.lower().endswith(end)), ""):
        raise ValueError(f"must be the base of the API, without {wrong} at its end")
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{path}{query}"


def headers(text: str) -> tuple[tuple[str, str], ...]:
    """Return pairs of name and value. Errors show no value: it may be a secret."""
    pairs = [entry.strip().partition("=")[::2] for entry in text.split(",")] if text else []
    return checked_headers(pairs)


def checked_headers(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the headers. Raises ValueError if they cannot be sent, or are not the operator's to set."""
    if len(pairs) > MAX_HEADERS:
        raise ValueError(f"must be at most {MAX_HEADERS} headers")
    for number, (name, value) in enumerate(pairs, 1):
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}", name):
            raise ValueError(f"must be Name=value, like OpenAI-Organization=org_1; entry {number} is not")
        if name.lower() in KEY_HEADERS:
            raise ValueError(f"must not hold {name}; the key has settings of its own, and its header, too")
        if name.lower() in OWN_HEADERS or name.lower().startswith("sec-websocket-"):
            raise ValueError(f"must not hold {name}, which the service sets itself")
        if not re.fullmatch(r"[!-~]([ -~]*[!-~])?", value) or len(value) > MAX_HEADER:
            raise ValueError(f"must have a value of printable ASCII for {name}")
    if len({name.lower() for name, _ in pairs}) < len(pairs):
        raise ValueError("names a header twice")
    return tuple(pairs)


def key_header(text: str) -> str:
    if text != "bearer" and (not re.fullmatch(r"[A-Za-z0-9-]{1,64}", text) or text.lower() in OWN_HEADERS):
        raise ValueError("must be bearer, or the name of the header that holds the key, like api-key")
    return text


def one_of(*words: str) -> Callable[[str], str]:
    """Return the parser of a setting that is one of these words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be {', '.join(words[:-1])} or {words[-1]}")
        return text

    return parse


replay = one_of("once", "safe-only")
transport = one_of("auto", "websocket", "sse")
chaining = one_of("auto", "off")
chain_basis = one_of("minimal", "strict")
cache_key = one_of("session", "off")
item_ids = one_of("auto", "never")
thoughts = one_of("paired", "all")


def models(text: str) -> tuple[str, ...]:
    names = tuple(entry.strip() for entry in text.split(",")) if text else ()
    if not all(re.fullmatch(r"[!-)+-~]{1,256}[*]?", entry) for entry in names):
        raise ValueError("must be names of models, or prefixes that end with *, separated by commas")
    return names


def hook(text: str) -> str:
    if text and not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", text):
        raise ValueError("must be module:function, like operators.hooks:tag")
    return text


def tokens(text: str) -> tuple[tuple[str, str], ...]:
    """Return pairs of token and tenant. Errors number the entries: a token is a secret."""
    pairs = []
    for number, entry in enumerate(text.split(",") if text else (), 1):
        token, equals, tenant = entry.strip().rpartition("=")
        if not (equals and token and re.fullmatch(r"[A-Za-z0-9_.:-]{1,128}", tenant) and parse_key(token)):
            raise ValueError(f"entry {number} must be token=tenant, the tenant of A-Z a-z 0-9 _ . : -")
        pairs.append((token, tenant))
    if len({token for token, _ in pairs}) < len(pairs):
        raise ValueError("names a token twice; give each caller one of its own")
    return tuple(pairs)


def word(text: str) -> str:
    if len(text) > MAX_NAME or not re.fullmatch(r"[!-~]*", text):
        raise ValueError(f"must be at most {MAX_NAME} printable ASCII characters without spaces")
    return text


def words(text: str) -> tuple[str, ...]:
    """Return the entries of a list, none of them empty."""
    entries = tuple(word(entry.strip()) for entry in text.split(",")) if text else ()
    if not all(entries):
        raise ValueError("must be a list without empty entries, separated by commas")
    return entries


def algorithms(text: str) -> tuple[str, ...]:
    if not (found := words(text)) or not set(found) <= ALGORITHMS:
        raise ValueError(f"must be a list of {', '.join(sorted(ALGORITHMS))}")
    return found


def jwks(text: str) -> str:
    """Parse a path, or a URL whose answer nobody can forge. No error repeats it: it may hold a password."""
    if "://" not in text:
        return text
    try:
        parts = urlsplit(text)
        sound = bool(parts.scheme in ("http", "https") and parts.hostname and parts.port != 0)
    except ValueError:  # its brackets or its port
        parts, sound = urlsplit(""), False
    if not sound or parts.fragment or not re.fullmatch(r"[!-~]+", text):
        raise ValueError("must be a path, or a URL like https://issuer.example.org/jwks.json")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold credentials")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError("must be https: whoever can change the keys on the way can be any caller")
    return text


def metadata(text: str) -> tuple[str, ...]:
    """Return keys of gRPC metadata, in lower case as gRPC writes them, each once."""
    keys = tuple(dict.fromkeys(entry.lower() for entry in words(text)))
    if len(keys) > MAX_CALLER_ATTRIBUTES:
        raise ValueError(f"must be at most {MAX_CALLER_ATTRIBUTES} keys")
    for key in keys:
        if not re.fullmatch(r"[a-z0-9_.-]{1,64}", key) or key.endswith("-bin"):
            raise ValueError(
                f"must be keys of text: {key} is not one of up to 64 of a-z 0-9 _ . -, or is binary"
            )
        if key in SECRET_METADATA or key.startswith("grpc-"):
            raise ValueError(f"must not name {key}: it is gRPC's own, or holds a secret")
    return keys


def level(text: str) -> str:
    if text not in ("debug", "info", "warning", "error"):
        raise ValueError("must be debug, info, warning or error")
    return text


def tuning(text: str) -> frozenset[str]:
    """Return the pieces to leave out."""
    if text in ("on", "off"):
        return TUNING if text == "off" else frozenset()
    if not (left_out := frozenset(piece.strip() for piece in text.split(","))) <= TUNING:
        raise ValueError(f"must be on, off, or a list of pieces to leave out: {', '.join(sorted(TUNING))}")
    return left_out


def name(text: str) -> str:
    if len(text) > MAX_NAME or not text.isprintable():
        raise ValueError(f"must be at most {MAX_NAME} printable characters")
    return text or socket.gethostname()
