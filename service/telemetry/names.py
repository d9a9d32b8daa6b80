"""Define the names of all spans, attributes, events and metrics.

Names without `trunkline.` are those of the OpenTelemetry conventions: RPC as of 1.44, GenAI as of its own
repository. Dashboards and alerts depend on these names.
"""

# Spans. That of a call is named after its method, that of an attempt `chat {model}`, that of a compaction
# `compact {model}`. The conventions have no operation for the last.
SPAN_ACQUIRE = "session.acquire"
SPAN_DIAL = "dial"
SPAN_CHAT = "chat"
SPAN_COMPACT = "compact"

# What the tokens of a warm-up are counted under. It has no span.
OPERATION_WARM_UP = "warm_up"

# What happens within a span
EVENT_ADMITTED = "admitted"
EVENT_LEASED = "leased"
EVENT_SENT = "sent"
EVENT_CREATED = "created"
EVENT_FIRST_CONTENT = "first_content"
EVENT_TERMINAL = "terminal"
EVENT_DETAILS = "gen_ai.client.inference.operation.details"

# RPC
RPC_SYSTEM = "rpc.system.name"
RPC_METHOD = "rpc.method"
RPC_METHOD_ORIGINAL = "rpc.method_original"
RPC_STATUS = "rpc.response.status_code"
ERROR_TYPE = "error.type"
SERVER_ADDRESS = "server.address"
SERVER_PORT = "server.port"
HTTP_STATUS = "http.response.status_code"

# GenAI
OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
CONVERSATION = "gen_ai.conversation.id"
REQUEST_MODEL = "gen_ai.request.model"
REQUEST_STREAM = "gen_ai.request.stream"
REQUEST_TEMPERATURE = "gen_ai.request.temperature"
REQUEST_TOP_P = "gen_ai.request.top_p"
REQUEST_MAX_TOKENS = "gen_ai.request.max_tokens"
REQUEST_REASONING = "gen_ai.request.reasoning.level"
OUTPUT_TYPE = "gen_ai.output.type"
RESPONSE_ID = "gen_ai.response.id"
RESPONSE_MODEL = "gen_ai.response.model"
FINISH_REASONS = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_write.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105  a name, no secret
OPENAI_API = "openai.api.type"
OPENAI_TIER = "openai.request.service_tier"
OPENAI_TIER_USED = "openai.response.service_tier"

# GenAI content: only where the operator asked for it
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"
TOOL_DEFINITIONS = "gen_ai.tool.definitions"
CONTENT = frozenset({INPUT_MESSAGES, OUTPUT_MESSAGES, SYSTEM_INSTRUCTIONS, TOOL_DEFINITIONS})

# Ours
PREFIX = "trunkline."
TENANT = "trunkline.tenant"
REQUEST_ID = "trunkline.request_id"
CALLER = f"{PREFIX}caller."
"""Before the key of the metadata in which callers say something of themselves."""
TURN_ID = "trunkline.turn_id"
ATTACHED = "trunkline.attached"
REASON = "trunkline.reason"
ENDING = "trunkline.ending"
TRANSPORT = "trunkline.transport"
TRANSPORT_REASON = "trunkline.transport.reason"
CONTEXT = "trunkline.context"
CONTEXT_REASON = "trunkline.context.reason"
ATTEMPT = "trunkline.attempt"
ATTEMPTS = "trunkline.attempts"
REUSED = "trunkline.connection_reused"
BYTES_SENT = "trunkline.bytes_sent"
BYTES_SAVED = "trunkline.bytes_saved"
QUEUE_S = "trunkline.queue_s"
REQUEST_TOOLS = "trunkline.request.tools"
RESPONSE_ITEMS = "trunkline.response.items"
IGNORED_EVENTS = "trunkline.upstream.ignored_events"
UPSTREAM = "trunkline.upstream"
UPSTREAM_REASON = "trunkline.upstream.reason"
UPSTREAM_CODE = "trunkline.upstream.code"
UPSTREAM_TYPE = "trunkline.upstream.type"
UPSTREAM_STATUS = "trunkline.upstream.status"
UPSTREAM_REQUEST = "trunkline.upstream.request_id"

# Metrics of the conventions
RPC_SERVER_CALL_DURATION = "rpc.server.call.duration"
OPERATION_DURATION = "gen_ai.client.operation.duration"
OPERATION_FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
TOKEN_USAGE = "gen_ai.client.token.usage"  # noqa: S105  a name, no secret
SERVER_FIRST_TOKEN = "gen_ai.server.time_to_first_token"  # noqa: S105  a name, no secret

# Metrics of ours
TURNS = "trunkline.turns"
TURNS_RUNNING = "trunkline.turns.running"
TURNS_QUEUED = "trunkline.turns.queued"
TURNS_ATTACHED = "trunkline.turns.attached"
TURNS_KEPT = "trunkline.turns.kept"
TURNS_KEPT_BYTES = "trunkline.turns.kept_bytes"
CONTINUATION = "trunkline.turn.continuation"
TURN_BYTES_SENT = "trunkline.turn.bytes_sent"
TURN_BYTES_SAVED = "trunkline.turn.bytes_saved"
TOKENS = "trunkline.tokens"
UNREPORTED = "trunkline.usage.unreported"
FALLBACKS = "trunkline.fallbacks"
REPLAYS = "trunkline.replays"
FAILOVERS = "trunkline.failovers"
CANCELLED = "trunkline.cancelled"
REFUSED = "trunkline.refused"
RATE_LIMIT_LEFT = "trunkline.rate_limit.left"
SESSIONS = "trunkline.sessions"
LINES = "trunkline.lines"
LINE_CHECKOUT = "trunkline.line.checkout.wait"
LINE_DIALS = "trunkline.line.dial.duration"
LINE_CLOSES = "trunkline.line.closes"
UNKNOWN_EVENTS = "trunkline.upstream.ignored"
LINE_HOLD = "trunkline.line.hold"
LOOP_LAG = "trunkline.event_loop.lag"
LOG_LOST = "trunkline.log.lost"

# Labels of ours on metrics
LABEL_TENANT = "tenant"
LABEL_MODEL = "model"
LABEL_TYPE = "type"
LABEL_ENDING = "ending"
LABEL_TRANSPORT = "transport"
LABEL_RESULT = "result"
LABEL_REASON = "reason"
LABEL_UPSTREAM = "upstream"
LABEL_CAUSE = "cause"
LABEL_WHO = "who"
LABEL_LIMIT = "limit"
LABEL_STATE = "state"
LABEL_KIND = "kind"
