"""Find what is allowed and probably a mistake: `doubts`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from service.config.settings import PREFIX, ROWS, Settings, unknown

TOKEN_CHARACTERS = 16


def doubts(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what is allowed and probably a mistake, a line each."""
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in ROWS and not environ[name]:
            yield f"{unknown(name)} (it is empty, and does nothing)"
    for number, (token, tenant) in enumerate(settings.auth_tokens, 1):
        if len(token) < TOKEN_CHARACTERS or token == tenant:
            why = (
                "is the tenant's name" if token == tenant else f"has fewer than {TOKEN_CHARACTERS} characters"
            )
            yield f"TRUNKLINE_AUTH_TOKENS: the token of entry {number} {why}; use openssl rand -hex 32"
