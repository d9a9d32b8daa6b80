"""Convert what the SDK gives a model to the request of a turn."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from agents import Handoff, ModelSettings, ModelTracing, UserError
from agents.items import ItemHelpers
from agents.models.fake_id import FAKE_RESPONSES_ID
from agents.models.openai_responses import Converter

from trunkline.gen.trunkline.v1.completion_pb2 import StreamCompletionRequest
from trunkline.options import Options, choice_definition, json_schema
from trunkline.requests import turn_request
from trunkline.response_items import messages_from_items
from trunkline.tools import tool_definition

SAME = ("temperature", "top_p", "truncation", "store", "metadata", "verbosity")
BODY = ("top_logprobs", "context_management", "prompt_cache_retention", "prompt_cache_options")
"""Settings that are options of the same name, and those that are keys of the upstream's request."""


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of a call, by the SDK's names and in its order."""

    system_instructions: str | None
    input: str | list[Any]
    model_settings: ModelSettings
    tools: list[Any]
    output_schema: Any
    handoffs: list[Handoff]
    tracing: ModelTracing
    previous_response_id: str | None = None
    conversation_id: str | None = None
    prompt: Any = None

    def items(self) -> list[Any]:
        return cast("list[Any]", ItemHelpers.input_to_new_input_list(self.input))

    def request(self, model: str, defaults: Options) -> tuple[StreamCompletionRequest, list[Any]]:
        """Return the request, and the tools by definition. Raises UserError for what no turn can have."""
        settings = self.model_settings
        if self.conversation_id or self.previous_response_id:
            raise UserError(
                "conversation_id, previous_response_id: Trunkline needs the whole history, and sends only"
                " what is new by itself; use a session, or `to_input_list()` of the last run"
            )
        if settings.extra_headers or settings.extra_query:
            raise UserError("extra_headers, extra_query: a turn has none; use extra_body or extra_args")
        converted = Converter.convert_tools(
            self.tools,
            self.handoffs,
            allow_opaque_tool_search_surface=self.prompt is not None,
            model=model,
            tool_choice=settings.tool_choice,
        )
        choice = Converter.convert_tool_choice(
            settings.tool_choice, tools=self.tools, handoffs=self.handoffs, model=model
        )
        session_id, options = _options(settings, {"prompt": self.prompt}, converted.includes)
        options["parallel_tool_calls"] = settings.parallel_tool_calls if converted.tools else None
        if isinstance(choice, str | dict):  # otherwise the SDK's `omit`
            options["tool_choice"] = choice if isinstance(choice, str) else choice_definition(choice)
        if self.output_schema is not None and not self.output_schema.is_plain_text():
            schema, strict = self.output_schema.json_schema(), self.output_schema.is_strict_json_schema()
            options["text_format"] = json_schema("final_output", schema, strict=strict)
        request = turn_request(
            StreamCompletionRequest,
            session_id=session_id,
            model=model,
            messages=messages_from_items(self.items(), placeholder_id=FAKE_RESPONSES_ID),
            instructions=self.system_instructions or "",
            tools=[tool_definition(param) for param in converted.tools],
            request_id="",
            options=defaults | cast("Options", _given(options)),
        )
        return request, converted.tools


def _options(
    settings: ModelSettings, body: dict[str, Any], include: Iterable[str]
) -> tuple[str, dict[str, Any]]:
    """Return the session that is named, and the options. `extra_args` hold either, or more of the body."""
    options = {name: getattr(settings, name) for name in SAME} | {"max_output_tokens": settings.max_tokens}
    body |= {name: getattr(settings, name) for name in BODY}
    wanted = [*include, *(settings.response_include or ())]
    if settings.top_logprobs is not None:
        wanted.append("message.output_text.logprobs")
    options["include"] = sorted(set(wanted)) or None
    if settings.reasoning is not None:
        reasoning = settings.reasoning.model_dump(exclude_none=True)
        options["reasoning_effort"] = reasoning.pop("effort", None)
        options["reasoning_summary"] = reasoning.pop("summary", reasoning.pop("generate_summary", None))
        body["reasoning"] = reasoning or None
    more = dict(settings.extra_args or {})
    session_id = more.pop("session_id", "")
    for name, value in more.items():
        (options if name in Options.__annotations__ else body)[name] = value
    body |= cast("dict[str, Any]", settings.extra_body or {})
    options["extra_body"] = _given(body) or None
    return session_id, options


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
