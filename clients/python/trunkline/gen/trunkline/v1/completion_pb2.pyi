import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from . import message_pb2 as _message_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Transport(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRANSPORT_UNSPECIFIED: _ClassVar[Transport]
    TRANSPORT_AUTO: _ClassVar[Transport]
    TRANSPORT_WEBSOCKET: _ClassVar[Transport]
    TRANSPORT_SSE: _ClassVar[Transport]

class Context(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONTEXT_UNSPECIFIED: _ClassVar[Context]
    CONTEXT_FULL: _ClassVar[Context]
    CONTEXT_INCREMENTAL: _ClassVar[Context]

class ToolChoiceMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOOL_CHOICE_MODE_UNSPECIFIED: _ClassVar[ToolChoiceMode]
    TOOL_CHOICE_MODE_AUTO: _ClassVar[ToolChoiceMode]
    TOOL_CHOICE_MODE_NONE: _ClassVar[ToolChoiceMode]
    TOOL_CHOICE_MODE_REQUIRED: _ClassVar[ToolChoiceMode]

class ReasoningKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASONING_KIND_UNSPECIFIED: _ClassVar[ReasoningKind]
    REASONING_KIND_SUMMARY: _ClassVar[ReasoningKind]
    REASONING_KIND_TEXT: _ClassVar[ReasoningKind]

class StopReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STOP_REASON_UNSPECIFIED: _ClassVar[StopReason]
    STOP_REASON_STOP: _ClassVar[StopReason]
    STOP_REASON_TOOL_USE: _ClassVar[StopReason]
    STOP_REASON_LENGTH: _ClassVar[StopReason]
    STOP_REASON_CONTENT_FILTER: _ClassVar[StopReason]
    STOP_REASON_ACTION_REQUIRED: _ClassVar[StopReason]
TRANSPORT_UNSPECIFIED: Transport
TRANSPORT_AUTO: Transport
TRANSPORT_WEBSOCKET: Transport
TRANSPORT_SSE: Transport
CONTEXT_UNSPECIFIED: Context
CONTEXT_FULL: Context
CONTEXT_INCREMENTAL: Context
TOOL_CHOICE_MODE_UNSPECIFIED: ToolChoiceMode
TOOL_CHOICE_MODE_AUTO: ToolChoiceMode
TOOL_CHOICE_MODE_NONE: ToolChoiceMode
TOOL_CHOICE_MODE_REQUIRED: ToolChoiceMode
REASONING_KIND_UNSPECIFIED: ReasoningKind
REASONING_KIND_SUMMARY: ReasoningKind
REASONING_KIND_TEXT: ReasoningKind
STOP_REASON_UNSPECIFIED: StopReason
STOP_REASON_STOP: StopReason
STOP_REASON_TOOL_USE: StopReason
STOP_REASON_LENGTH: StopReason
STOP_REASON_CONTENT_FILTER: StopReason
STOP_REASON_ACTION_REQUIRED: StopReason

class StreamCompletionRequest(_message.Message):
    __slots__ = ("session_id", "model", "instructions", "messages", "tools", "options", "request_id", "turn_key", "after_sequence", "continuation")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_KEY_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CONTINUATION_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    model: str
    instructions: str
    messages: _containers.RepeatedCompositeFieldContainer[_message_pb2.Message]
    tools: _containers.RepeatedCompositeFieldContainer[_message_pb2.Tool]
    options: CompletionOptions
    request_id: str
    turn_key: str
    after_sequence: int
    continuation: str
    def __init__(self, session_id: _Optional[str] = ..., model: _Optional[str] = ..., instructions: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[_message_pb2.Message, _Mapping]]] = ..., tools: _Optional[_Iterable[_Union[_message_pb2.Tool, _Mapping]]] = ..., options: _Optional[_Union[CompletionOptions, _Mapping]] = ..., request_id: _Optional[str] = ..., turn_key: _Optional[str] = ..., after_sequence: _Optional[int] = ..., continuation: _Optional[str] = ...) -> None: ...

class CompleteRequest(_message.Message):
    __slots__ = ("session_id", "model", "instructions", "messages", "tools", "options", "request_id", "turn_key", "after_sequence", "continuation")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_KEY_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CONTINUATION_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    model: str
    instructions: str
    messages: _containers.RepeatedCompositeFieldContainer[_message_pb2.Message]
    tools: _containers.RepeatedCompositeFieldContainer[_message_pb2.Tool]
    options: CompletionOptions
    request_id: str
    turn_key: str
    after_sequence: int
    continuation: str
    def __init__(self, session_id: _Optional[str] = ..., model: _Optional[str] = ..., instructions: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[_message_pb2.Message, _Mapping]]] = ..., tools: _Optional[_Iterable[_Union[_message_pb2.Tool, _Mapping]]] = ..., options: _Optional[_Union[CompletionOptions, _Mapping]] = ..., request_id: _Optional[str] = ..., turn_key: _Optional[str] = ..., after_sequence: _Optional[int] = ..., continuation: _Optional[str] = ...) -> None: ...

class CompactRequest(_message.Message):
    __slots__ = ("session_id", "model", "instructions", "messages", "request_id", "store", "prompt_cache_key", "service_tier")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    PROMPT_CACHE_KEY_FIELD_NUMBER: _ClassVar[int]
    SERVICE_TIER_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    model: str
    instructions: str
    messages: _containers.RepeatedCompositeFieldContainer[_message_pb2.Message]
    request_id: str
    store: bool
    prompt_cache_key: str
    service_tier: str
    def __init__(self, session_id: _Optional[str] = ..., model: _Optional[str] = ..., instructions: _Optional[str] = ..., messages: _Optional[_Iterable[_Union[_message_pb2.Message, _Mapping]]] = ..., request_id: _Optional[str] = ..., store: _Optional[bool] = ..., prompt_cache_key: _Optional[str] = ..., service_tier: _Optional[str] = ...) -> None: ...

class CompactResponse(_message.Message):
    __slots__ = ("messages", "usage", "response_id", "created_at", "provider")
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    messages: _containers.RepeatedCompositeFieldContainer[_message_pb2.Message]
    usage: Usage
    response_id: str
    created_at: _timestamp_pb2.Timestamp
    provider: str
    def __init__(self, messages: _Optional[_Iterable[_Union[_message_pb2.Message, _Mapping]]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., response_id: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., provider: _Optional[str] = ...) -> None: ...

class CompletionOptions(_message.Message):
    __slots__ = ("transport", "temperature", "top_p", "max_output_tokens", "parallel_tool_calls", "store", "tool_choice", "reasoning", "text", "metadata", "prompt_cache_key", "service_tier", "truncation", "safety_identifier", "warm_up", "extra_body_json", "include", "linger", "heartbeat")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    PARALLEL_TOOL_CALLS_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    TOOL_CHOICE_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    PROMPT_CACHE_KEY_FIELD_NUMBER: _ClassVar[int]
    SERVICE_TIER_FIELD_NUMBER: _ClassVar[int]
    TRUNCATION_FIELD_NUMBER: _ClassVar[int]
    SAFETY_IDENTIFIER_FIELD_NUMBER: _ClassVar[int]
    WARM_UP_FIELD_NUMBER: _ClassVar[int]
    EXTRA_BODY_JSON_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FIELD_NUMBER: _ClassVar[int]
    LINGER_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    transport: Transport
    temperature: float
    top_p: float
    max_output_tokens: int
    parallel_tool_calls: bool
    store: bool
    tool_choice: ToolChoice
    reasoning: ReasoningOptions
    text: TextOptions
    metadata: _containers.ScalarMap[str, str]
    prompt_cache_key: str
    service_tier: str
    truncation: str
    safety_identifier: str
    warm_up: bool
    extra_body_json: str
    include: _containers.RepeatedScalarFieldContainer[str]
    linger: _duration_pb2.Duration
    heartbeat: _duration_pb2.Duration
    def __init__(self, transport: _Optional[_Union[Transport, str]] = ..., temperature: _Optional[float] = ..., top_p: _Optional[float] = ..., max_output_tokens: _Optional[int] = ..., parallel_tool_calls: _Optional[bool] = ..., store: _Optional[bool] = ..., tool_choice: _Optional[_Union[ToolChoice, _Mapping]] = ..., reasoning: _Optional[_Union[ReasoningOptions, _Mapping]] = ..., text: _Optional[_Union[TextOptions, _Mapping]] = ..., metadata: _Optional[_Mapping[str, str]] = ..., prompt_cache_key: _Optional[str] = ..., service_tier: _Optional[str] = ..., truncation: _Optional[str] = ..., safety_identifier: _Optional[str] = ..., warm_up: _Optional[bool] = ..., extra_body_json: _Optional[str] = ..., include: _Optional[_Iterable[str]] = ..., linger: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., heartbeat: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ToolChoice(_message.Message):
    __slots__ = ("mode", "function", "allowed", "definition_json")
    MODE_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    DEFINITION_JSON_FIELD_NUMBER: _ClassVar[int]
    mode: ToolChoiceMode
    function: str
    allowed: AllowedTools
    definition_json: str
    def __init__(self, mode: _Optional[_Union[ToolChoiceMode, str]] = ..., function: _Optional[str] = ..., allowed: _Optional[_Union[AllowedTools, _Mapping]] = ..., definition_json: _Optional[str] = ...) -> None: ...

class AllowedTools(_message.Message):
    __slots__ = ("mode", "functions")
    MODE_FIELD_NUMBER: _ClassVar[int]
    FUNCTIONS_FIELD_NUMBER: _ClassVar[int]
    mode: ToolChoiceMode
    functions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, mode: _Optional[_Union[ToolChoiceMode, str]] = ..., functions: _Optional[_Iterable[str]] = ...) -> None: ...

class ReasoningOptions(_message.Message):
    __slots__ = ("effort", "summary")
    EFFORT_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    effort: str
    summary: str
    def __init__(self, effort: _Optional[str] = ..., summary: _Optional[str] = ...) -> None: ...

class TextOptions(_message.Message):
    __slots__ = ("plain", "json_object", "json_schema", "verbosity")
    PLAIN_FIELD_NUMBER: _ClassVar[int]
    JSON_OBJECT_FIELD_NUMBER: _ClassVar[int]
    JSON_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    VERBOSITY_FIELD_NUMBER: _ClassVar[int]
    plain: PlainFormat
    json_object: JsonObjectFormat
    json_schema: JsonSchemaFormat
    verbosity: str
    def __init__(self, plain: _Optional[_Union[PlainFormat, _Mapping]] = ..., json_object: _Optional[_Union[JsonObjectFormat, _Mapping]] = ..., json_schema: _Optional[_Union[JsonSchemaFormat, _Mapping]] = ..., verbosity: _Optional[str] = ...) -> None: ...

class PlainFormat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class JsonObjectFormat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class JsonSchemaFormat(_message.Message):
    __slots__ = ("name", "schema", "strict")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    STRICT_FIELD_NUMBER: _ClassVar[int]
    name: str
    schema: str
    strict: bool
    def __init__(self, name: _Optional[str] = ..., schema: _Optional[str] = ..., strict: _Optional[bool] = ...) -> None: ...

class StreamCompletionResponse(_message.Message):
    __slots__ = ("start", "text_delta", "done", "error", "reasoning_delta", "refusal_delta", "tool_call_delta", "item_progress", "heartbeat", "sequence")
    START_FIELD_NUMBER: _ClassVar[int]
    TEXT_DELTA_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    REASONING_DELTA_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_DELTA_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_DELTA_FIELD_NUMBER: _ClassVar[int]
    ITEM_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    start: Start
    text_delta: TextDelta
    done: Done
    error: Error
    reasoning_delta: ReasoningDelta
    refusal_delta: RefusalDelta
    tool_call_delta: ToolCallDelta
    item_progress: ItemProgress
    heartbeat: Heartbeat
    sequence: int
    def __init__(self, start: _Optional[_Union[Start, _Mapping]] = ..., text_delta: _Optional[_Union[TextDelta, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ..., reasoning_delta: _Optional[_Union[ReasoningDelta, _Mapping]] = ..., refusal_delta: _Optional[_Union[RefusalDelta, _Mapping]] = ..., tool_call_delta: _Optional[_Union[ToolCallDelta, _Mapping]] = ..., item_progress: _Optional[_Union[ItemProgress, _Mapping]] = ..., heartbeat: _Optional[_Union[Heartbeat, _Mapping]] = ..., sequence: _Optional[int] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Start(_message.Message):
    __slots__ = ("turn_id", "model", "transport", "context")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    model: str
    transport: Transport
    context: Context
    def __init__(self, turn_id: _Optional[str] = ..., model: _Optional[str] = ..., transport: _Optional[_Union[Transport, str]] = ..., context: _Optional[_Union[Context, str]] = ...) -> None: ...

class TextDelta(_message.Message):
    __slots__ = ("content_index", "delta")
    CONTENT_INDEX_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    content_index: int
    delta: str
    def __init__(self, content_index: _Optional[int] = ..., delta: _Optional[str] = ...) -> None: ...

class RefusalDelta(_message.Message):
    __slots__ = ("content_index", "delta")
    CONTENT_INDEX_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    content_index: int
    delta: str
    def __init__(self, content_index: _Optional[int] = ..., delta: _Optional[str] = ...) -> None: ...

class ReasoningDelta(_message.Message):
    __slots__ = ("content_index", "delta", "kind")
    CONTENT_INDEX_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    content_index: int
    delta: str
    kind: ReasoningKind
    def __init__(self, content_index: _Optional[int] = ..., delta: _Optional[str] = ..., kind: _Optional[_Union[ReasoningKind, str]] = ...) -> None: ...

class ToolCallDelta(_message.Message):
    __slots__ = ("content_index", "call_id", "name", "arguments_delta")
    CONTENT_INDEX_FIELD_NUMBER: _ClassVar[int]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_DELTA_FIELD_NUMBER: _ClassVar[int]
    content_index: int
    call_id: str
    name: str
    arguments_delta: str
    def __init__(self, content_index: _Optional[int] = ..., call_id: _Optional[str] = ..., name: _Optional[str] = ..., arguments_delta: _Optional[str] = ...) -> None: ...

class ItemProgress(_message.Message):
    __slots__ = ("content_index", "item_type", "event_type", "json")
    CONTENT_INDEX_FIELD_NUMBER: _ClassVar[int]
    ITEM_TYPE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    content_index: int
    item_type: str
    event_type: str
    json: str
    def __init__(self, content_index: _Optional[int] = ..., item_type: _Optional[str] = ..., event_type: _Optional[str] = ..., json: _Optional[str] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ("message", "stop_reason", "usage", "model", "provider", "created_at", "report", "service_tier", "continuation")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STOP_REASON_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    SERVICE_TIER_FIELD_NUMBER: _ClassVar[int]
    CONTINUATION_FIELD_NUMBER: _ClassVar[int]
    message: _message_pb2.Message
    stop_reason: StopReason
    usage: Usage
    model: str
    provider: str
    created_at: _timestamp_pb2.Timestamp
    report: TurnReport
    service_tier: str
    continuation: str
    def __init__(self, message: _Optional[_Union[_message_pb2.Message, _Mapping]] = ..., stop_reason: _Optional[_Union[StopReason, str]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., model: _Optional[str] = ..., provider: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., report: _Optional[_Union[TurnReport, _Mapping]] = ..., service_tier: _Optional[str] = ..., continuation: _Optional[str] = ...) -> None: ...

class CompleteResponse(_message.Message):
    __slots__ = ("message", "stop_reason", "usage", "model", "provider", "created_at", "report", "service_tier", "continuation")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    STOP_REASON_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    SERVICE_TIER_FIELD_NUMBER: _ClassVar[int]
    CONTINUATION_FIELD_NUMBER: _ClassVar[int]
    message: _message_pb2.Message
    stop_reason: StopReason
    usage: Usage
    model: str
    provider: str
    created_at: _timestamp_pb2.Timestamp
    report: TurnReport
    service_tier: str
    continuation: str
    def __init__(self, message: _Optional[_Union[_message_pb2.Message, _Mapping]] = ..., stop_reason: _Optional[_Union[StopReason, str]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., model: _Optional[str] = ..., provider: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., report: _Optional[_Union[TurnReport, _Mapping]] = ..., service_tier: _Optional[str] = ..., continuation: _Optional[str] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("reason", "message", "retryable", "retry_after", "upstream", "partial", "usage", "report")
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    reason: str
    message: str
    retryable: bool
    retry_after: _duration_pb2.Duration
    upstream: UpstreamError
    partial: _message_pb2.Message
    usage: Usage
    report: TurnReport
    def __init__(self, reason: _Optional[str] = ..., message: _Optional[str] = ..., retryable: _Optional[bool] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., upstream: _Optional[_Union[UpstreamError, _Mapping]] = ..., partial: _Optional[_Union[_message_pb2.Message, _Mapping]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., report: _Optional[_Union[TurnReport, _Mapping]] = ...) -> None: ...

class UpstreamError(_message.Message):
    __slots__ = ("code", "type", "status", "request_id")
    CODE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    code: str
    type: str
    status: int
    request_id: str
    def __init__(self, code: _Optional[str] = ..., type: _Optional[str] = ..., status: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "total_tokens", "details_json")
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHE_WRITE_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    REASONING_TOKENS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_TOKENS_FIELD_NUMBER: _ClassVar[int]
    DETAILS_JSON_FIELD_NUMBER: _ClassVar[int]
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    total_tokens: int
    details_json: str
    def __init__(self, input_tokens: _Optional[int] = ..., cached_input_tokens: _Optional[int] = ..., cache_write_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ..., reasoning_tokens: _Optional[int] = ..., total_tokens: _Optional[int] = ..., details_json: _Optional[str] = ...) -> None: ...

class TurnReport(_message.Message):
    __slots__ = ("response_id", "transport", "transport_reason", "context", "context_reason", "attempts", "connection_reused", "timings", "bytes_sent", "bytes_saved", "ignored_events", "attached", "upstream", "upstream_reason")
    class IgnoredEventsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    RESPONSE_ID_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_REASON_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_REASON_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_REUSED_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    BYTES_SENT_FIELD_NUMBER: _ClassVar[int]
    BYTES_SAVED_FIELD_NUMBER: _ClassVar[int]
    IGNORED_EVENTS_FIELD_NUMBER: _ClassVar[int]
    ATTACHED_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_REASON_FIELD_NUMBER: _ClassVar[int]
    response_id: str
    transport: Transport
    transport_reason: str
    context: Context
    context_reason: str
    attempts: int
    connection_reused: bool
    timings: Timings
    bytes_sent: int
    bytes_saved: int
    ignored_events: _containers.ScalarMap[str, int]
    attached: bool
    upstream: str
    upstream_reason: str
    def __init__(self, response_id: _Optional[str] = ..., transport: _Optional[_Union[Transport, str]] = ..., transport_reason: _Optional[str] = ..., context: _Optional[_Union[Context, str]] = ..., context_reason: _Optional[str] = ..., attempts: _Optional[int] = ..., connection_reused: _Optional[bool] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ..., bytes_sent: _Optional[int] = ..., bytes_saved: _Optional[int] = ..., ignored_events: _Optional[_Mapping[str, int]] = ..., attached: _Optional[bool] = ..., upstream: _Optional[str] = ..., upstream_reason: _Optional[str] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("queue", "connect", "first_event", "first_content", "total")
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    CONNECT_FIELD_NUMBER: _ClassVar[int]
    FIRST_EVENT_FIELD_NUMBER: _ClassVar[int]
    FIRST_CONTENT_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    queue: _duration_pb2.Duration
    connect: _duration_pb2.Duration
    first_event: _duration_pb2.Duration
    first_content: _duration_pb2.Duration
    total: _duration_pb2.Duration
    def __init__(self, queue: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., connect: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., first_event: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., first_content: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., total: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
