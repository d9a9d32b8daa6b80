"""A model of the SDK whose calls are turns of Trunkline."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Unpack, get_args

from agents import ModelBehaviorError, ModelResponse, Usage, generation_span
from agents.models.fake_id import FAKE_RESPONSES_ID
from agents.models.interface import Model
from agents.retry import ModelRetryAdvice, ModelRetryAdviceRequest
from agents.tracing import SpanError, get_current_trace
from openai.types.responses import ResponseStreamEvent

from trunkline.aio.client import AsyncClient
from trunkline.errors import TrunklineError
from trunkline.events import Done
from trunkline.openai_agents.call import Call
from trunkline.openai_agents.retry import advice
from trunkline.options import Options
from trunkline.response_events import ResponseEvents
from trunkline.said_parts import SaidParts
from trunkline.session_finder import SessionFinder

EVENTS = {
    get_args(event.model_fields["type"].annotation)[0]: event
    for event in get_args(get_args(ResponseStreamEvent)[0])
}
"""The SDK's class of each type of event."""

TOKENS = ("input_tokens", "output_tokens", "total_tokens", "input_tokens_details", "output_tokens_details")


class TrunklineModel(Model):
    """One model, for the agents of any number of runs.

    A call continues the session that knows its history; `ModelSettings(extra_args={"session_id": …})` names
    one instead. Cancelling a run stops its turn, down to the model. `options` are for each call, below those
    of its `ModelSettings`.
    """

    def __init__(self, model: str, client: AsyncClient, **options: Unpack[Options]) -> None:
        self.model = model
        self.client = client
        self._options = options
        self._sessions = SessionFinder()
        self._said = SaidParts()

    async def get_response(self, *given: Any, **named: Any) -> ModelResponse:
        """Return the whole answer. Raises as `stream_response`, and ModelBehaviorError if it was cut off."""
        call, response = Call(*given, **named), None
        async for event in self._events(call):
            if event.type == "response.incomplete":  # the SDK itself raises this, where it streams
                raise ModelBehaviorError(f"the answer is cut off: {event.response.incomplete_details.reason}")
            if event.type == "response.completed":
                response = event.response
        assert response is not None, "a turn that does not raise ends with it"
        usage = response.usage
        return ModelResponse(
            output=response.output,
            usage=Usage(requests=1, **{name: getattr(usage, name) for name in TOKENS}),
            response_id=response.id,
            raw_usage=usage.model_dump(mode="json") if call.model_settings.preserve_raw_usage else None,
        )

    def stream_response(self, *given: Any, **named: Any) -> AsyncIterator[Any]:
        """Yield the events of a turn. Raises TrunklineError, and UserError for what no turn can have."""
        return self._events(Call(*given, **named))

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        return advice(request.error) if isinstance(request.error, TrunklineError) else None

    async def _events(self, call: Call) -> AsyncIterator[Any]:
        request, tools = call.request(self.model, self._options)
        self._said.restore(request.messages)
        settle = self._sessions.assign(request, _conversation())
        turn = self.client.stream_request(request, settle=settle, resume=bool(request.turn_key))
        events = ResponseEvents(self.model, placeholder_id=FAKE_RESPONSES_ID, tools=tools)
        with _span(self.model, call) as span:
            async with turn:
                async for event in turn:
                    if isinstance(event, Done):
                        self._said.keep((part.item_id, part) for part in event.message.parts)
                    for written in events.write(event):
                        if "response" in written:
                            _note(span, written["response"], call)
                        if kind := EVENTS.get(written["type"]):
                            yield kind.model_construct(**written)


def _conversation() -> str:
    """Return the run's `group_id`: how the SDK calls the conversation that its traces belong to."""
    trace = get_current_trace()
    exported = trace.export() if trace is not None else None
    return (exported or {}).get("group_id") or ""


@contextmanager
def _span(model: str, call: Call) -> Iterator[Any]:
    """Trace a call as the SDK's own models do: with what was said only where the run wants that."""
    data = call.tracing.include_data()
    config = call.model_settings.to_traceable_dict()
    if not data:
        config.pop("metadata", None)
    with generation_span(model=model, model_config=config, disabled=call.tracing.is_disabled()) as span:
        if data:
            span.span_data.input = call.items()
        try:
            yield span
        except Exception as error:
            shown = str(error) if data else type(error).__name__
            span.set_error(SpanError(message="The turn failed", data={"error": shown}))
            raise


def _note(span: Any, response: dict[str, Any], call: Call) -> None:
    span.span_data.usage = response.get("usage")
    if call.tracing.include_data():
        span.span_data.output = response["output"]
