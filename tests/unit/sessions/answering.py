"""A manager without gRPC, before an upstream that answers over WebSocket and HTTP as a test says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from service.app import upstreams_of
from service.config.settings import Settings
from service.domain.messages import CompletionRequest, Message, Options, Role, TextPart
from service.sessions.manager import Manager
from service.sessions.settings import SessionSettings
from tests.integration.faults import raw

PATIENCE_S = 30.0
UNREACHABLE = "http://127.0.0.1:9/v1"
"""Nothing listens there: for turns that must not get that far."""


class Answering:
    """An upstream that answers each request with `events`; `refuses` holds the ways that fail: ws, http."""

    def __init__(self) -> None:
        self.events = raw.ANSWER
        self.refuses: set[str] = set()
        self.handshakes = self.posts = 0

    async def serve(self, reader, writer, head) -> None:
        if raw.is_upgrade(head):
            self.handshakes += 1
            if "ws" in self.refuses:
                return
            writer.write(raw.accepted(head))
            while await reader.read(65_536):
                writer.write(raw.as_frames(self.events))
                await writer.drain()
        else:
            self.posts += 1
            if "http" not in self.refuses:
                writer.write(raw.STREAM + raw.as_stream(self.events))
                await writer.drain()


@asynccontextmanager
async def managing(url: str = UNREACHABLE, **settings: Any) -> AsyncIterator[Manager]:
    chosen = Settings(upstream_url=url, openai_api_key="k", **settings)
    manager = Manager(chosen.part(SessionSettings), upstreams_of(chosen), trim=lambda: False)
    try:
        yield manager
    finally:
        await manager.close()


@asynccontextmanager
async def answered(**settings: Any) -> AsyncIterator[tuple[Manager, Answering]]:
    upstream = Answering()
    async with raw.upstream(upstream.serve) as url, managing(url, **settings) as manager:
        yield manager, upstream


def asked(text: str = "Hello?", session: str = "s", **options: Any) -> CompletionRequest:
    said = Message(Role.USER, (TextPart(text),))
    return CompletionRequest(session, "gpt-1", (said,), options=Options(**options))
