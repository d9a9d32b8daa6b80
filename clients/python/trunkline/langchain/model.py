"""A chat model of LangChain whose calls are turns of Trunkline."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, ensure_config
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, PrivateAttr, SecretStr

from trunkline.aio.client import AsyncClient
from trunkline.events import Done
from trunkline.gen.trunkline.v1.completion_pb2 import CompleteRequest, StreamCompletionRequest
from trunkline.langchain.answers import Chunks, answer_from
from trunkline.langchain.blocks import PROVIDER
from trunkline.langchain.call import Call, R, call_from
from trunkline.langchain.errors import translated
from trunkline.langchain.formats import parsed, response_format
from trunkline.session_finder import SessionFinder
from trunkline.settings import DEFAULT_ADDRESS
from trunkline.sync.client import Client
from trunkline.turn import Settle

ALWAYS = (
    "tool_calling",
    "tool_choice",
    "tool_call_streaming",
    "structured_output",
    "reasoning_output",
    "image_inputs",
    "image_tool_message",
    "mid_conversation_system_messages",
)
"""What the service carries for any model that has it; LangChain's agents ask."""


class ChatTrunkline(BaseChatModel):
    """One model, for any number of conversations, threads and event loops.

    A call continues the session that knows its history; a new one has the `thread_id` of the graph that runs
    as its id. `session_id`, of the model or of one call (`model.bind(session_id=…)`), names one instead.
    `options` are the client's, for each call; those of one call (`model.bind(verbosity="low")`) come on top.
    """

    model: str
    address: str = DEFAULT_ADDRESS
    token: SecretStr | Callable[[], str] | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    session_id: str = ""
    options: dict[str, Any] = Field(default_factory=dict)
    client_options: dict[str, Any] = Field(default_factory=dict, exclude=True, repr=False)
    """More for the client: `tls`, `timeout`, `retry`, …"""

    _sessions: SessionFinder = PrivateAttr(default_factory=SessionFinder)
    _client: Client | None = PrivateAttr(default=None)
    _async_clients: dict[asyncio.AbstractEventLoop, AsyncClient] = PrivateAttr(default_factory=dict)

    @property
    def client(self) -> Client:
        """The blocking client, made at its first use."""
        if self._client is None:
            self._client = Client(self.address, token=self._token, **self.client_options)
        return self._client

    @property
    def async_client(self) -> AsyncClient:
        """The client of the running event loop, made at its first use."""
        loop = asyncio.get_running_loop()
        if loop not in self._async_clients:
            for ended in [one for one in self._async_clients if one.is_closed()]:
                del self._async_clients[ended]
            client = AsyncClient(self.address, token=self._token, **self.client_options)
            self._async_clients[loop] = client
        return self._async_clients[loop]

    def close(self) -> None:
        """End the blocking calls. The model may be used again."""
        self.client.close()

    async def aclose(self) -> None:
        """End the calls of the running event loop. The model may be used again."""
        await self.async_client.aclose()

    def bind_tools(
        self,
        tools: Sequence[Any],
        *,
        tool_choice: Any = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[Any, AIMessage]:
        """Bind tools: functions, classes, LangChain's, or the definition of a hosted or custom one."""
        made = [one if _is_hosted(one) else convert_to_openai_tool(one, strict=strict) for one in tools]
        return self.bind(tools=made, tool_choice=tool_choice, **kwargs)

    def with_structured_output(
        self,
        schema: Any,
        *,
        method: Literal["json_schema", "json_mode", "function_calling"] = "json_schema",
        include_raw: bool = False,
        strict: bool = True,
        **kwargs: Any,
    ) -> Runnable[Any, Any]:
        """Return answers as values of a type. Raises TypeError where it has no strict schema."""
        if method == "function_calling":
            return super().with_structured_output(schema, include_raw=include_raw, **kwargs)
        form = {"type": "json_object"} if method == "json_mode" else response_format(schema, strict)
        traced = {"kwargs": {"method": method}, "schema": schema}
        model = self.bind(response_format=form, ls_structured_output_format=traced, **kwargs)
        return parsed(model, schema, include_raw=include_raw)

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        call, settle = self._call(CompleteRequest, messages, stop, kwargs)
        done = None
        try:
            with translated():
                done = self.client.complete_request(call.request, timeout=call.timeout, resume=call.resumes)
        finally:
            settle(done)
        return _result(done)

    async def _agenerate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        call, settle = self._call(CompleteRequest, messages, stop, kwargs)
        client, done = self.async_client, None
        try:
            with translated():
                done = await client.complete_request(call.request, timeout=call.timeout, resume=call.resumes)
        finally:
            settle(done)
        return _result(done)

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        call, settle = self._call(StreamCompletionRequest, messages, stop, kwargs)
        chunks, client = Chunks(call.custom), self.client
        turn = client.stream_request(call.request, timeout=call.timeout, settle=settle, resume=call.resumes)
        with translated(), turn:
            for event in turn:
                if chunk := chunks.of(event):
                    yield ChatGenerationChunk(message=chunk)

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        call, settle = self._call(StreamCompletionRequest, messages, stop, kwargs)
        chunks, client = Chunks(call.custom), self.async_client
        turn = client.stream_request(call.request, timeout=call.timeout, settle=settle, resume=call.resumes)
        with translated():
            async with turn:
                async for event in turn:
                    if chunk := chunks.of(event):
                        yield ChatGenerationChunk(message=chunk)

    def _call(
        self, kind: type[R], messages: list[BaseMessage], stop: Any, given: dict[str, Any]
    ) -> tuple[Call[R], Settle]:
        """Return the call in its session, and what must be called with its end."""
        own = {name: getattr(self, name) for name in ("model", "session_id", "temperature", "max_tokens")}
        call = call_from(kind, messages, own | self.options | given | {"stop": stop})
        thread = ensure_config()["configurable"].get("thread_id") or ""
        return call, self._sessions.assign(call.request, str(thread)) or (lambda _: None)

    @property
    def _token(self) -> Any:
        return self.token.get_secret_value() if isinstance(self.token, SecretStr) else self.token

    @property
    def _llm_type(self) -> str:
        return PROVIDER

    @property
    def _identifying_params(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("model", "temperature", "max_tokens")}
        return own | self.options

    def _resolve_model_profile(self) -> Any:
        return dict.fromkeys(ALWAYS, True)


def _is_hosted(tool: Any) -> bool:
    return isinstance(tool, dict) and tool.get("type", "function") != "function"


def _result(done: Done) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=answer_from(done))])
