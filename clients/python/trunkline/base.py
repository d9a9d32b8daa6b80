"""What both clients share: how one is made, and the timeout, attempts and metadata of a call."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from trunkline.lingering import Lingering
from trunkline.retry import Attempts, Retry
from trunkline.settings import DEFAULT_ADDRESS, KEEPALIVE_S, MAX_MESSAGE_BYTES, Metadata, Settings
from trunkline.tls import TLS


class BaseClient:
    """What `AsyncClient` and `Client` share."""

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        token: str | Callable[[], str] | None = None,
        tls: bool | TLS | grpc.ChannelCredentials = False,
        timeout: float | None = None,
        retry: Retry | None = None,
        keepalive: float | None = KEEPALIVE_S,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        channel_options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        """No connection is made before the first call.

        `token` goes as `authorization: Bearer …`; a function is asked for it before each call.
        `tls` is True for the system's roots; `TLS(ca=…, cert=…, key=…)` is for others and for a client
        certificate, and credentials of grpc's are taken as they are. `timeout` is for a whole call, retries
        included, unless the call says otherwise.
        """
        self.settings = Settings(
            address=address,
            token=token,
            tls=tls,
            timeout=timeout,
            retry=retry or Retry(),
            keepalive=keepalive,
            max_message_bytes=max_message_bytes,
            channel_options=channel_options,
        )
        self._clock: Callable[[], float] = time.monotonic
        self._lingering = Lingering()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.settings.address}>"

    def _attempts(self, timeout: float | None, *, resumes: bool = False) -> Attempts:
        timeout = self.settings.timeout if timeout is None else timeout
        return Attempts(self.settings.retry, timeout, self._clock, resumes=resumes)

    def _metadata(self, session_id: str) -> Metadata:
        return self.settings.metadata(session_id)
