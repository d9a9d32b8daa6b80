"""Map the enums of the contract to those of the domain and back.

Each table is total; a test checks that.
"""

from __future__ import annotations

from service.domain.events import ReasoningKind, StopReason
from service.domain.messages import Role, ToolKind, Transport
from service.domain.report import LineState
from service.gen.trunkline.v1 import completion_pb2, message_pb2, session_pb2

ROLES: dict[message_pb2.Role, Role] = {
    message_pb2.ROLE_USER: Role.USER,
    message_pb2.ROLE_ASSISTANT: Role.ASSISTANT,
    message_pb2.ROLE_TOOL: Role.TOOL,
    message_pb2.ROLE_SYSTEM: Role.SYSTEM,
    message_pb2.ROLE_DEVELOPER: Role.DEVELOPER,
}
ROLES_OUT = {role: number for number, role in ROLES.items()}

TRANSPORTS: dict[completion_pb2.Transport, Transport] = {
    completion_pb2.TRANSPORT_UNSPECIFIED: Transport.AUTO,
    completion_pb2.TRANSPORT_AUTO: Transport.AUTO,
    completion_pb2.TRANSPORT_WEBSOCKET: Transport.WEBSOCKET,
    completion_pb2.TRANSPORT_SSE: Transport.SSE,
}
TRANSPORTS_OUT = {
    Transport.AUTO: completion_pb2.TRANSPORT_AUTO,
    Transport.WEBSOCKET: completion_pb2.TRANSPORT_WEBSOCKET,
    Transport.SSE: completion_pb2.TRANSPORT_SSE,
}

TOOL_KINDS: dict[message_pb2.ToolCallKind, ToolKind] = {
    message_pb2.TOOL_CALL_KIND_UNSPECIFIED: ToolKind.FUNCTION,
    message_pb2.TOOL_CALL_KIND_FUNCTION: ToolKind.FUNCTION,
    message_pb2.TOOL_CALL_KIND_CUSTOM: ToolKind.CUSTOM,
}
TOOL_KINDS_OUT = {
    ToolKind.FUNCTION: message_pb2.TOOL_CALL_KIND_UNSPECIFIED,
    ToolKind.CUSTOM: message_pb2.TOOL_CALL_KIND_CUSTOM,
}

TOOL_CHOICE_MODES: dict[completion_pb2.ToolChoiceMode, str] = {
    completion_pb2.TOOL_CHOICE_MODE_AUTO: "auto",
    completion_pb2.TOOL_CHOICE_MODE_NONE: "none",
    completion_pb2.TOOL_CHOICE_MODE_REQUIRED: "required",
}

REASONING_KINDS = {
    ReasoningKind.SUMMARY: completion_pb2.REASONING_KIND_SUMMARY,
    ReasoningKind.TEXT: completion_pb2.REASONING_KIND_TEXT,
}

STOP_REASONS = {
    StopReason.STOP: completion_pb2.STOP_REASON_STOP,
    StopReason.TOOL_USE: completion_pb2.STOP_REASON_TOOL_USE,
    StopReason.LENGTH: completion_pb2.STOP_REASON_LENGTH,
    StopReason.CONTENT_FILTER: completion_pb2.STOP_REASON_CONTENT_FILTER,
    StopReason.ACTION_REQUIRED: completion_pb2.STOP_REASON_ACTION_REQUIRED,
}

LINE_STATES = {
    LineState.NONE: session_pb2.LINE_STATE_NONE,
    LineState.DIALING: session_pb2.LINE_STATE_DIALING,
    LineState.IDLE: session_pb2.LINE_STATE_IDLE,
    LineState.BUSY: session_pb2.LINE_STATE_BUSY,
}
