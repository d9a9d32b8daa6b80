"""Reach the upstream, one endpoint over two transports: `Upstream`.

A key leaves this layer only in a request's header, and only to the configured host.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from random import Random
from typing import TYPE_CHECKING

import httpx
from websockets.exceptions import InvalidHandshake, InvalidStatus

from service import __version__
from service.domain.errors import Reason, TurnError
from service.domain.limits import MAX_JSON_GROWTH
from service.domain.messages import CompletionRequest, Item
from service.domain.plan import Plan
from service.domain.tenant import Caller, Credential
from service.telemetry.telemetry import OFF, Telemetry
from service.transport import tls
from service.transport.channel import Waits
from service.transport.compaction import HEADERS as COMPACTION_HEADERS
from service.transport.compaction import CompactionExchange
from service.transport.connecting import Connecting
from service.transport.connection import Connection
from service.transport.credentials import Keys
from service.transport.exchange import Exchange
from service.transport.handshake import connect_to
from service.transport.http_stream import HttpStream
from service.transport.pace import Pace, Unpaced
from service.transport.receive_buffer import now
from service.transport.settings import UpstreamSettings
from service.wire import error_classifier
from service.wire.compaction import encode_compaction
from service.wire.request import Dialect, PayloadHook, PreparedRequest, encode, item_sizes, prepare
from service.wire.request_body import cache_key
from service.workers import maybe_aside

if TYPE_CHECKING:
    from service.telemetry.turn_publisher import TurnTrace

__all__ = ["PROVIDER", "PayloadHook", "PreparedRequest", "Upstream"]

PROVIDER = "openai"
USER_AGENT = f"trunkline/{__version__}"
HTTP_HEADERS = {
    "User-Agent": USER_AGENT,
    "Content-Type": "application/json",
    "Accept": "text/event-stream",
    "Accept-Encoding": "identity",  # what comes is not decoded
}
NO_HEADERS: Mapping[str, str] = {}
AGE_SPREAD = 0.1
"""Connections are closed up to this share before their maximum age, at random, so that a thousand that were
opened together do not end together.
"""


class Upstream:
    """Open connections and exchanges to the upstream."""

    def __init__(
        self,
        settings: UpstreamSettings,
        hook: PayloadHook | None = None,
        random: Random | None = None,
        pace: Pace | None = None,
        telemetry: Telemetry = OFF,
    ) -> None:
        self._telemetry = telemetry
        self.waits = Waits(
            settings.connect_timeout_s,
            settings.send_timeout_s,
            settings.first_event_timeout_s,
            settings.first_event_limit_s,
            settings.idle_timeout_s,
        )
        self.pace = pace or Unpaced()
        self._settings = settings
        self._hook = hook
        self._random = random or Random()
        self._keys = Keys(settings)
        self._url = settings.http_url
        self._dialect = Dialect(settings.item_ids == "auto", settings.thoughts == "paired")
        self._max_body_bytes = MAX_JSON_GROWTH * settings.max_request_bytes
        self._tls = tls.context_of(settings)
        self._proxy = settings.route.proxy
        self._connecting = Connecting(settings.route)
        self._http = httpx.AsyncClient(
            headers=HTTP_HEADERS | dict(settings.upstream_headers),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # callers share the client
            verify=self._tls,
            proxy=self._http_proxy(),
            trust_env=False,  # the environment was read once, for both transports
            timeout=httpx.Timeout(None, connect=self.waits.connect_s, write=self.waits.send_s),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
        )

    def __repr__(self) -> str:
        return f"Upstream({self._url.partition('?')[0]})"

    async def prepare(self, request: CompletionRequest, tenant: str = "") -> PreparedRequest:
        """Convert the tenant's request to the upstream's format, and apply the operator's hook.

        Raises TurnError if the format cannot express it.
        """
        key = self._cache_key(request, tenant)
        most, dialect = self._max_body_bytes, self._dialect
        convert = partial(prepare, request, self._hook, cache_key=key, dialect=dialect, most=most)
        return await maybe_aside(request.large, convert)

    def _cache_key(self, request: CompletionRequest, tenant: str) -> str:
        by_session = self._settings.cache_key == "session"
        return cache_key(tenant, request.session_id) if by_session else ""

    def sizes(self, prepared: PreparedRequest, items: Sequence[Item]) -> list[int]:
        """Return the size of each item in a request, in bytes, separator included."""
        return item_sizes(items, ids=prepared.ids, paired=prepared.dialect.paired, large=prepared.large)

    def takes(self, key: Credential | None) -> bool:
        """Return whether it can be asked with this key of a caller's; None: with its own."""
        return self._settings.caller_keys if key is not None else self._keys.suffice

    def check_key(self, key: Credential | None) -> None:
        """Raise TurnError UNAUTHENTICATED when neither the caller nor the service has a key."""
        self._keys.check(key)

    def _http_proxy(self) -> httpx.Proxy | None:
        if self._proxy is None:
            return None
        return httpx.Proxy(self._proxy.url, ssl_context=self._tls if self._proxy.secure else None)

    async def dial(self, key: Credential | None = None, trace: TurnTrace | None = None) -> Connection:
        """Open a connection within the connect timeout.

        Raises TurnError CONNECT_FAILED, UPSTREAM_AUTH, or OVERLOADED (this machine has no file, port or
        memory left): nothing was sent.

        Cancellation: the socket is closed.
        """
        with self._telemetry.dialing(trace.parent() if trace is not None else None) as span:
            line = await self._dial(key)
            line.dialed = span
            return line

    async def _dial(self, key: Credential | None) -> Connection:
        try:
            async with asyncio.timeout(self.waits.connect_s):
                connection = await connect_to(
                    self._settings.ws_url,
                    {**dict(self._settings.upstream_headers), **self._keys.headers(key)},
                    self._tls,
                    self._proxy,
                    user_agent=USER_AGENT,
                    splits_frames=self._settings.splits_frames,
                )
        except TimeoutError as exc:
            limit = f"{self.waits.connect_s:g} s (TRUNKLINE_CONNECT_TIMEOUT_S)"
            message = f"the WebSocket handshake took longer than {limit}"
            raise TurnError(Reason.CONNECT_FAILED, message) from exc
        except InvalidStatus as exc:
            answer = exc.response
            raise error_classifier.from_handshake(
                answer.status_code, answer.headers, bytes(answer.body or b""), now=time.time()
            ) from exc
        except (OSError, InvalidHandshake) as exc:
            raise self._connecting.failed("cannot open a WebSocket", exc) from exc
        age = self._settings.max_age_s * (1 - AGE_SPREAD * self._random.random())
        return Connection(
            connection,
            ping_interval_s=self._settings.ping_interval_s,
            ping_timeout_s=self._settings.ping_timeout_s,
            expires_at=now() + age,
            pace=self.pace,
            telemetry=self._telemetry,
        )

    async def over_connection(
        self,
        line: Connection,
        prepared: PreparedRequest,
        plan: Plan,
        *,
        generate: bool = True,
        refused: int = 0,
    ) -> Exchange:
        """Return the exchange over an open connection.

        `refused`: the size in bytes of a frame that the upstream refused as too big; 0: none.

        Raises TurnError MESSAGE_TOO_BIG if the frame is over the limit or no smaller than that: nothing was
        sent.
        """
        write = partial(encode, prepared, plan, websocket=True, generate=generate, most=self._max_body_bytes)
        frame = await maybe_aside(prepared.large, write)
        size, limit = len(frame), self._settings.max_frame_bytes
        if size > limit:
            message = f"the request has {size} bytes, a frame at most {limit} (TRUNKLINE_MAX_FRAME_BYTES)"
            raise TurnError(Reason.MESSAGE_TOO_BIG, message)
        if refused and size >= refused:
            message = f"the request has {size} bytes, and the upstream found a frame of {refused} too big"
            raise TurnError(Reason.MESSAGE_TOO_BIG, message)
        return Exchange(line, frame, plan, self.waits)

    async def over_http(
        self,
        prepared: PreparedRequest,
        plan: Plan,
        key: Credential | None = None,
        trace: TurnTrace | None = None,
    ) -> Exchange:
        """Return the exchange over one POST, whose connection is closed at its end unless the answer was read
        whole.
        """
        write = partial(encode, prepared, plan, websocket=False, most=self._max_body_bytes)
        body = await maybe_aside(prepared.large, write)
        headers = self._keys.headers(key)
        stream = HttpStream(
            self._http,
            self._url,
            headers,
            self.pace,
            self._connecting,
            continuing=plan.incremental,
            trace=trace,
        )
        return Exchange(stream, body, plan, self.waits, shared=False)

    async def compaction(
        self,
        request: CompletionRequest,
        caller: Caller,
        tracing: Mapping[str, str] = NO_HEADERS,
    ) -> CompactionExchange:
        """Return the exchange that has the caller's conversation compacted. The operator's hook does not see
        it: the upstream takes hardly any of the keys that a hook may add.

        Raises TurnError if the format cannot express the request.
        """
        key = self._cache_key(request, caller.tenant)
        most, dialect = self._max_body_bytes, self._dialect
        write = partial(encode_compaction, request, cache_key=key, dialect=dialect, most=most)
        body = await maybe_aside(request.large, write)
        headers = {**self._keys.headers(caller.key), **COMPACTION_HEADERS, **tracing}
        stream = HttpStream(self._http, self._settings.compact_url, headers, self.pace, self._connecting)
        return CompactionExchange(stream, body, self.waits)

    async def close(self) -> None:
        await self._http.aclose()
