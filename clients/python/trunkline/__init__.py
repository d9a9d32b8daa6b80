"""The Python client of Trunkline.

Trunkline is a gRPC service that keeps each conversation on a warm connection to the model.

The names listed in `__all__` are public; everything else may change without notice.
"""

from trunkline._version import __version__
from trunkline.aio.client import AsyncClient
from trunkline.aio.conversation import AsyncConversation
from trunkline.aio.run import AsyncRun
from trunkline.aio.turn import AsyncTurn
from trunkline.compaction import Compaction
from trunkline.errors import (
    AnswerError,
    AuthenticationError,
    ConnectionFailedError,
    ContextLengthError,
    InternalError,
    InvalidRequestError,
    NotFoundError,
    OutputError,
    OverloadedError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    RefusalError,
    TakenOverError,
    TimedOutError,
    TrunklineError,
    TurnCancelledError,
    Upstream,
    UpstreamError,
    Violation,
)
from trunkline.events import (
    Done,
    Event,
    ItemProgress,
    ReasoningDelta,
    RefusalDelta,
    Start,
    TextDelta,
    ToolCallDelta,
)
from trunkline.gen.trunkline.v1.message_pb2 import (
    TOOL_CALL_KIND_CUSTOM,
    Message,
    Part,
    ToolCallPart,
    UpstreamItemPart,
)
from trunkline.items import (
    Item,
    Items,
    action_result,
    annotations_of,
    approval,
    logprobs_of,
    upstream_item,
    upstream_items_of,
)
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
from trunkline.options import Options, allow_tools, choice_definition, force_tool, json_schema
from trunkline.output import Output, Parsed
from trunkline.reports import Report, Timings, Usage
from trunkline.retry import Retry
from trunkline.sessions import RunningTurn, Session, SessionPage
from trunkline.sync.client import Client
from trunkline.sync.conversation import Conversation
from trunkline.sync.run import SyncRun
from trunkline.sync.turn import SyncTurn
from trunkline.tools import Tool, custom_tool, tool, tool_definition

__all__ = [
    "TOOL_CALL_KIND_CUSTOM",
    "AnswerError",
    "AsyncClient",
    "AsyncConversation",
    "AsyncRun",
    "AsyncTurn",
    "AuthenticationError",
    "Client",
    "Compaction",
    "ConnectionFailedError",
    "ContextLengthError",
    "Conversation",
    "Done",
    "Event",
    "Input",
    "InternalError",
    "InvalidRequestError",
    "Item",
    "ItemProgress",
    "Items",
    "Message",
    "NotFoundError",
    "Options",
    "Output",
    "OutputError",
    "OverloadedError",
    "Parsed",
    "Part",
    "PermissionDeniedError",
    "QuotaError",
    "RateLimitError",
    "ReasoningDelta",
    "RefusalDelta",
    "RefusalError",
    "Report",
    "Retry",
    "RunningTurn",
    "Session",
    "SessionPage",
    "Start",
    "SyncRun",
    "SyncTurn",
    "TakenOverError",
    "TextDelta",
    "TimedOutError",
    "Timings",
    "Tool",
    "ToolCallDelta",
    "ToolCallPart",
    "TrunklineError",
    "TurnCancelledError",
    "Upstream",
    "UpstreamError",
    "UpstreamItemPart",
    "Usage",
    "Violation",
    "__version__",
    "action_result",
    "allow_tools",
    "annotations_of",
    "approval",
    "assistant",
    "choice_definition",
    "custom_tool",
    "developer",
    "file_bytes",
    "file_id",
    "file_url",
    "force_tool",
    "image_bytes",
    "image_id",
    "image_url",
    "json_schema",
    "logprobs_of",
    "refusal_of",
    "system",
    "text",
    "text_of",
    "tool",
    "tool_calls_of",
    "tool_definition",
    "tool_result",
    "upstream_item",
    "upstream_items_of",
    "user",
]
