/** What Node and browsers share. What is not listed here may change without notice. */
export { Client } from "./client.js";
export type { AttachOptions, CallOptions, ClientOptions, TurnRequest } from "./client.js";
export type { Compaction, CompactRequest } from "./compaction.js";
export type { ConnectOptions, TlsOptions } from "./connect.js";
export type { Conversation, ConversationOptions, RunOptions, TurnOptions } from "./conversation.js";
export {
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
  UpstreamError,
} from "./errors.js";
export type { Failure, Status, Upstream, Violation } from "./errors.js";
export type { Done, Event, ItemProgress, ReasoningDelta, RefusalDelta, Start, TextDelta, ToolCallDelta } from "./events.js";
export { MessageSchema, ToolCallKind } from "./gen/trunkline/v1/message_pb.js";
export type { Message, Part, ToolCallPart, UpstreamItemPart } from "./gen/trunkline/v1/message_pb.js";
export { actionResult, annotationsOf, approval, logprobsOf, upstreamItem, upstreamItemsOf } from "./items.js";
export type { Fields, Item } from "./items.js";
export {
  assistant,
  developer,
  fileBytes,
  fileId,
  fileUrl,
  imageBytes,
  imageId,
  imageUrl,
  refusalOf,
  system,
  text,
  textOf,
  toolCallsOf,
  toolResult,
  user,
} from "./messages.js";
export type { Content, Detail, Input } from "./messages.js";
export type { Json, JsonSchemaFormat, Options, ParsedFormat, ServiceTier, TextFormat, ToolChoice } from "./options.js";
export type { Report, Timings, Usage, Word } from "./reports.js";
export type { Retry } from "./retry.js";
export type { Run } from "./run.js";
export type { RunningTurn, Session, SessionPage, TurnName } from "./sessions.js";
export type { EventStream } from "./stream.js";
export { customTool, toolDefinition } from "./tools.js";
export type { CustomTool, Tool, ToolContext } from "./tools.js";
export type { Turn } from "./turn.js";
export { VERSION } from "./version.js";
