/**
 * Options of a turn → `CompletionOptions`. What is undefined is not sent; zero, false and "" are values. Nothing
 * is judged here: the service does, and names the field.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { CompletionOptionsSchema, TextOptionsSchema, ToolChoiceSchema } from "./gen/trunkline/v1/completion_pb.js";
import { ToolChoiceMode, Transport } from "./gen/trunkline/v1/completion_pb.js";
import type { Word } from "./reports.js";

/** A JSON object, or its text: key order and integers then belong to the caller. */
export type Json = object | string;

/** "auto", "none", "required", the one function to call, the ones to choose from, or any other as it is written. */
export type ToolChoice =
  | "auto"
  | "none"
  | "required"
  | { readonly function: string }
  | { readonly allowed: readonly string[]; readonly required?: boolean }
  | { readonly definition: Json };

/** JSON that fits a schema. */
export interface JsonSchemaFormat {
  readonly name: string;
  /** A JSON Schema. */
  readonly schema: Json;
  /** Whether the upstream holds the model to the schema. */
  readonly strict?: boolean;
}

/** JSON that fits a schema, and what makes a value of your own type of it: `zodFormat` of "trunkline/zod" makes one. */
export interface ParsedFormat<T> extends JsonSchemaFormat {
  /** Throws where the value does not fit. */
  readonly parse: (value: unknown) => T;
}

/** Plain text, any JSON object, or JSON that fits a schema. */
export type TextFormat<T = unknown> = "plain" | "json_object" | JsonSchemaFormat | ParsedFormat<T>;

/** How fast the upstream answers, and at what price. */
export type ServiceTier = Word<"auto" | "default" | "flex" | "scale" | "priority">;

/** How to run a turn. A conversation has defaults; each turn may have its own on top. `T` is the type of `done.parsed`. */
export interface Options<T = unknown> {
  /** "auto": the session's WebSocket, and HTTP where that is unavailable. */
  readonly transport?: "auto" | "websocket" | "sse";
  readonly temperature?: number;
  readonly topP?: number;
  /** At most this many tokens, reasoning included. */
  readonly maxOutputTokens?: number;
  readonly parallelToolCalls?: boolean;
  /** Whether the upstream keeps the response. */
  readonly store?: boolean;
  readonly toolChoice?: ToolChoice;
  readonly reasoningEffort?: Word<"none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max">;
  readonly reasoningSummary?: Word<"auto" | "concise" | "detailed">;
  /** Not "plain": `done.parsed` is the answer's value. */
  readonly textFormat?: TextFormat<T>;
  readonly verbosity?: Word<"low" | "medium" | "high">;
  /** Labels for the upstream. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly promptCacheKey?: string;
  readonly serviceTier?: ServiceTier;
  readonly truncation?: Word<"auto" | "disabled">;
  readonly safetyIdentifier?: string;
  /** Prime a new line with instructions and tools before the turn. */
  readonly warmUp?: boolean;
  /** More of what the upstream can include in its answer, for example "file_search_call.results". */
  readonly include?: readonly string[];
  /** Upstream keys that have no name here. */
  readonly extraBody?: Json;
  /** With a turn key: how long a turn goes on, or is kept, once nobody reads it. */
  readonly lingerMs?: number;
  /**
   * The client makes the call again where its connection breaks, and the turn goes on: each event once and in order.
   * A turn then has a key, and lingers for 60 s unless `lingerMs` says otherwise.
   */
  readonly resume?: boolean;
  /**
   * How often the service shows, while the model is silent, that the turn runs; at least 1000. Not an event for the
   * caller. With `resume` a connection over which nothing comes for three times as long counts as broken.
   */
  readonly heartbeatMs?: number;
}

const TRANSPORTS = { auto: Transport.AUTO, websocket: Transport.WEBSOCKET, sse: Transport.SSE };
const MODES = { auto: ToolChoiceMode.AUTO, none: ToolChoiceMode.NONE, required: ToolChoiceMode.REQUIRED };

const RESUME_LINGER_MS = 60_000;

export function asJson(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

export function completionOptions(options: Options): MessageInitShape<typeof CompletionOptionsSchema> {
  return {
    transport: options.transport && choice("transport", TRANSPORTS, options.transport),
    temperature: options.temperature,
    topP: options.topP,
    maxOutputTokens: options.maxOutputTokens === undefined ? undefined : BigInt(options.maxOutputTokens),
    parallelToolCalls: options.parallelToolCalls,
    store: options.store,
    toolChoice: options.toolChoice && toolChoice(options.toolChoice),
    reasoning: reasoning(options),
    text: textOptions(options),
    metadata: options.metadata,
    promptCacheKey: options.promptCacheKey,
    serviceTier: options.serviceTier,
    truncation: options.truncation,
    safetyIdentifier: options.safetyIdentifier,
    warmUp: options.warmUp,
    include: options.include && [...options.include],
    extraBodyJson: options.extraBody && asJson(options.extraBody),
    linger: duration(options.lingerMs ?? (options.resume ? RESUME_LINGER_MS : undefined)),
    heartbeat: duration(options.heartbeatMs),
  };
}

function duration(ms: number | undefined) {
  return ms === undefined ? undefined : durationFromMs(ms);
}

function toolChoice(chosen: ToolChoice): MessageInitShape<typeof ToolChoiceSchema> {
  if (typeof chosen === "string") return { choice: { case: "mode", value: choice("toolChoice", MODES, chosen) } };
  if ("function" in chosen) return { choice: { case: "function", value: chosen.function } };
  if ("definition" in chosen) return { choice: { case: "definitionJson", value: asJson(chosen.definition) } };
  const mode = chosen.required ? ToolChoiceMode.REQUIRED : ToolChoiceMode.AUTO;
  return { choice: { case: "allowed", value: { mode, functions: [...chosen.allowed] } } };
}

function reasoning({ reasoningEffort: effort, reasoningSummary: summary }: Options) {
  return effort === undefined && summary === undefined ? undefined : { effort, summary };
}

function textOptions({ textFormat, verbosity }: Options): MessageInitShape<typeof TextOptionsSchema> | undefined {
  if (textFormat === undefined) return verbosity === undefined ? undefined : { verbosity };
  if (typeof textFormat === "object") {
    const { name, schema, strict } = textFormat;
    return { format: { case: "jsonSchema", value: { name, schema: asJson(schema), strict } }, verbosity };
  }
  return { format: choice("textFormat", FORMATS, textFormat), verbosity };
}

const FORMATS = {
  plain: { case: "plain", value: {} },
  json_object: { case: "jsonObject", value: {} },
} as const;

/** Types do not reach plain JavaScript: a misspelt word would be a turn that silently runs without it. */
function choice<K extends string, V>(option: string, table: Record<K, V>, word: K): V {
  if (!Object.hasOwn(table, word)) {
    throw new TypeError(`${option}: "${word}" is none of ${Object.keys(table).join(", ")}`);
  }
  return table[word];
}
