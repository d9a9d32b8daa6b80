"""The proxy between the service and the upstream, if there is one: `Proxy`, `ProxyRoute`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Proxy:
    """`variable` names it in the environment; `url` holds the credentials, `shown` does not."""

    variable: str
    url: str = field(repr=False)
    shown: str

    @property
    def secure(self) -> bool:
        """Whether the connection to the proxy itself is TLS."""
        return self.url.startswith("https:")


@dataclass(frozen=True, slots=True)
class ProxyRoute:
    """How the upstream is reached; `proxy` None: directly. `str` is what the log says of it."""

    proxy: Proxy | None = None
    why: str = "no proxy variable is set"

    def __str__(self) -> str:
        if self.proxy is None:
            return f"directly ({self.why})"
        return f"through the proxy {self.proxy.shown} ({self.proxy.variable})"


DIRECT = ProxyRoute()
