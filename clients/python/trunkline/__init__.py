"""The Python client of Trunkline.

Trunkline is a gRPC service that keeps each conversation on a warm connection to the model.

The names listed in `__all__` are public; everything else may change without notice.
"""

from trunkline._version import __version__
from trunkline.aio.client import AsyncClient
from trunkline.aio.conversation import AsyncConversation
from trunkline.aio.run import AsyncRun
from trunkline.aio.turn import AsyncTurn
from trunkline.errors import TrunklineError, Upstream, Violation
from trunkline.events import (
    Done,
    Event,
    ReasoningDelta,
    RefusalDelta,
    Start,
    TextDelta,
    ToolCallDelta,
)
from trunkline.gen.trunkline.v1.message_pb2 import Message, Part, ToolCallPart
from trunkline.messages import (
    Input,
    assistant,
    developer,
    file_bytes,
    file_id,
    file_url,
    image_bytes,
    image_id,
    image_url,
    refusal_of,
    system,
    text,
    text_of,
    tool_calls_of,
    tool_result,
    user,
)
from trunkline.options import Options, allow_tools, force_tool, json_schema
from trunkline.reports import Report, Timings, Usage
from trunkline.retry import Retry
from trunkline.sessions import Session, SessionPage
from trunkline.sync.client import Client
from trunkline.sync.conversation import Conversation
from trunkline.sync.run import SyncRun
from trunkline.sync.turn import SyncTurn
from trunkline.tools import Tool, tool

__all__ = [
    "AsyncClient",
    "AsyncConversation",
    "AsyncRun",
    "AsyncTurn",
    "Client",
    "Conversation",
    "Done",
    "Event",
    "Input",
    "Message",
    "Options",
    "Part",
    "ReasoningDelta",
    "RefusalDelta",
    "Report",
    "Retry",
    "Session",
    "SessionPage",
    "Start",
    "SyncRun",
    "SyncTurn",
    "TextDelta",
    "Timings",
    "Tool",
    "ToolCallDelta",
    "ToolCallPart",
    "TrunklineError",
    "Upstream",
    "Usage",
    "Violation",
    "__version__",
    "allow_tools",
    "assistant",
    "developer",
    "file_bytes",
    "file_id",
    "file_url",
    "force_tool",
    "image_bytes",
    "image_id",
    "image_url",
    "json_schema",
    "refusal_of",
    "system",
    "text",
    "text_of",
    "tool",
    "tool_calls_of",
    "tool_result",
    "user",
]
