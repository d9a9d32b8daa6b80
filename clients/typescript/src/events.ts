/**
 * The events of a streamed turn: a union discriminated by `kind`.
 *
 * A newer service may send a kind that is not here: it is ignored. An error is no event: it is thrown.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { create } from "@bufbuild/protobuf";
import type * as pb from "./gen/trunkline/v1/completion_pb.js";
import { Context, ReasoningKind, StopReason, Transport } from "./gen/trunkline/v1/completion_pb.js";
import type { Message, ToolCallPart, UpstreamItemPart } from "./gen/trunkline/v1/message_pb.js";
import { MessageSchema } from "./gen/trunkline/v1/message_pb.js";
import type { Fields } from "./items.js";
import { actionsOf, annotationsOf, logprobsOf, upstreamItemsOf } from "./items.js";
import { refusalOf, textOf, toolCallsOf } from "./messages.js";
import type { ServiceTier, TextFormat } from "./options.js";
import { parsedFrom } from "./output.js";
import type { Report, Usage, Word } from "./reports.js";
import { enumWord, reportFrom, usageFrom } from "./reports.js";

export const ACTION_REQUIRED = "action_required";

/** The upstream began the turn. What is true in the end stands in the report of `Done`. */
export interface Start {
  readonly kind: "start";
  readonly turnId: string;
  readonly model: string;
  readonly transport: Word<"websocket" | "sse">;
  readonly context: Word<"full" | "incremental">;
}

/** A piece of text. `contentIndex` is the index of the part in `done.message.parts`, here and below. */
export interface TextDelta {
  readonly kind: "text_delta";
  readonly contentIndex: number;
  readonly delta: string;
}

/** A piece of reasoning: of a summary, made for people, or of the full text. */
export interface ReasoningDelta {
  readonly kind: "reasoning_delta";
  readonly contentIndex: number;
  readonly delta: string;
  readonly of: Word<"summary" | "text">;
}

/** A piece of a refusal. */
export interface RefusalDelta {
  readonly kind: "refusal_delta";
  readonly contentIndex: number;
  readonly delta: string;
}

/** A piece of a tool call's arguments: JSON, or a custom tool's text. Empty when the call is first seen. */
export interface ToolCallDelta {
  readonly kind: "tool_call_delta";
  readonly contentIndex: number;
  readonly callId: string;
  readonly name: string;
  readonly delta: string;
}

/** What the upstream says of an item that grows: a search that runs, a piece of code, a partial image. */
export interface ItemProgress {
  readonly kind: "item_progress";
  readonly contentIndex: number;
  /** Empty where the upstream did not announce the item. */
  readonly itemType: string;
  /** For example "response.web_search_call.searching". */
  readonly eventType: string;
  /** The upstream's event as it wrote it. Empty: it was too large for a message. */
  readonly json: string;
}

/** The turn ended well. */
export interface Done<T = unknown> {
  readonly kind: "done";
  /** The whole answer; a conversation has added it to its messages already. */
  readonly message: Message;
  /** The texts of `message`, joined. */
  readonly text: string;
  readonly refusal: string;
  /**
   * The value of an answer in JSON, as `textFormat` says; undefined for plain text. Throws `RefusalError` or
   * `OutputError` where the model wrote something else.
   */
  readonly parsed: T;
  readonly toolCalls: readonly ToolCallPart[];
  /** The items that have no part of their own, such as the calls of hosted tools. */
  readonly upstreamItems: readonly UpstreamItemPart[];
  /** The items for which the model waits: an approval, a shell, a patch. See `conversation.answer`. */
  readonly actions: readonly UpstreamItemPart[];
  /** The citations of the text. */
  readonly annotations: readonly Fields[];
  /** The log probabilities of the text, where they were asked for. */
  readonly logprobs: readonly Fields[];
  /** "action_required": `actions` wait. */
  readonly stopReason: Word<"stop" | "tool_use" | "length" | "content_filter" | "action_required">;
  readonly usage: Usage;
  readonly model: string;
  readonly provider: string;
  /** The one that the upstream used. Empty: it names none. */
  readonly serviceTier: ServiceTier;
  readonly createdAt?: Date;
  readonly report: Report;
  /** What to send with the next request; a conversation does so. Empty: the upstream does not store the response. */
  readonly continuation: string;
}

export type Event<T = unknown> =
  | Start
  | TextDelta
  | ReasoningDelta
  | RefusalDelta
  | ToolCallDelta
  | ItemProgress
  | Done<T>;

/** Undefined: an error, or an event kind that this client does not know. */
export function eventFrom<T>({ event }: pb.StreamCompletionResponse, format?: TextFormat<T>): Event<T> | undefined {
  switch (event.case) {
    case "start": {
      const { turnId, model, transport, context } = event.value;
      return {
        kind: "start",
        turnId,
        model,
        transport: enumWord(Transport, transport),
        context: enumWord(Context, context),
      };
    }
    case "textDelta":
      return { kind: "text_delta", contentIndex: event.value.contentIndex, delta: event.value.delta };
    case "reasoningDelta": {
      const { contentIndex, delta, kind } = event.value;
      return { kind: "reasoning_delta", contentIndex, delta, of: enumWord(ReasoningKind, kind) };
    }
    case "refusalDelta":
      return { kind: "refusal_delta", contentIndex: event.value.contentIndex, delta: event.value.delta };
    case "toolCallDelta": {
      const { contentIndex, callId, name, argumentsDelta } = event.value;
      return { kind: "tool_call_delta", contentIndex, callId, name, delta: argumentsDelta };
    }
    case "itemProgress": {
      const { contentIndex, itemType, eventType, json } = event.value;
      return { kind: "item_progress", contentIndex, itemType, eventType, json };
    }
    case "done":
      return doneFrom(event.value, format);
    default:
      return undefined;
  }
}

/** `Done` and `CompleteResponse` have the same fields, so both make the same value. */
export function doneFrom<T>(done: pb.Done | pb.CompleteResponse, format?: TextFormat<T>): Done<T> {
  const message = done.message ?? create(MessageSchema);
  const stopReason = enumWord(StopReason, done.stopReason);
  let parsed: { value: T } | undefined;
  return {
    kind: "done",
    message,
    text: textOf(message),
    refusal: refusalOf(message),
    toolCalls: toolCallsOf(message),
    upstreamItems: upstreamItemsOf(message),
    // Parsed when they are read: an item may hold an image, and a turn that ended well does not fail for its text.
    get parsed() {
      parsed ??= { value: parsedFrom(this, format) as T };
      return parsed.value;
    },
    get actions() {
      return stopReason === ACTION_REQUIRED ? actionsOf(message) : [];
    },
    get annotations() {
      return annotationsOf(message);
    },
    get logprobs() {
      return logprobsOf(message);
    },
    stopReason,
    usage: usageFrom(done.usage),
    model: done.model,
    provider: done.provider,
    serviceTier: done.serviceTier,
    createdAt: dateFrom(done.createdAt),
    report: reportFrom(done.report),
    continuation: done.continuation,
  };
}

export function dateFrom(timestamp: Timestamp | undefined): Date | undefined {
  return timestamp && timestampDate(timestamp);
}
