"""A model of Pydantic AI whose requests are turns of Trunkline."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Unpack

import httpx2
from openai import AsyncOpenAI
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import ModelRequestParameters, StreamedResponse
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings

from trunkline.aio.client import AsyncClient
from trunkline.openai_transport import CONVERSATION, TrunklineTransport
from trunkline.options import Options
from trunkline.settings import DEFAULT_ADDRESS

NOWHERE = "http://trunkline/v1"
"""The address that requests are made for. They go to the service instead."""


class TrunklineModel(OpenAIResponsesModel):
    """Pydantic AI's own model of the Responses API, over Trunkline: `Agent(TrunklineModel("gpt-5.6"))`.

    A request continues the session that knows its history, or the one that the setting
    `extra_body={"trunkline": {"session_id": …}}` names. Give a client of your own for a token or TLS; it
    stays open at the end of `async with model:`. `options` are for each request, below its settings.
    """

    def __init__(
        self,
        model_name: str,
        service: str | AsyncClient = DEFAULT_ADDRESS,
        *,
        profile: Any = None,
        settings: ModelSettings | None = None,
        **options: Unpack[Options],
    ) -> None:
        self._owns_trunkline = isinstance(service, str)
        self.trunkline = AsyncClient(service) if isinstance(service, str) else service
        http_client = httpx2.AsyncClient(transport=TrunklineTransport(self.trunkline, **options))
        openai = AsyncOpenAI(api_key="unused", base_url=NOWHERE, http_client=http_client)
        provider = OpenAIProvider(openai_client=openai)
        super().__init__(model_name, provider=provider, profile=profile, settings=settings)

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        return await super().request(messages, _named(messages, model_settings), model_request_parameters)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: Any = None,
    ) -> AsyncIterator[StreamedResponse]:
        settings = _named(messages, model_settings)
        async with super().request_stream(
            messages, settings, model_request_parameters, run_context
        ) as stream:
            yield stream

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, traceback)
        if self._owns_trunkline:
            await self.trunkline.aclose()


def _named(messages: list[ModelMessage], settings: ModelSettings | None) -> ModelSettings:
    """Return the settings with the conversation's id, as Pydantic AI has stamped it on the messages."""
    settings = settings or {}
    ids = [message.conversation_id for message in messages if message.conversation_id]
    if not ids:
        return settings
    return settings | {"extra_headers": {CONVERSATION: ids[-1]} | settings.get("extra_headers", {})}
