/** One model, as the AI SDK calls it. */
import type * as ai from "@ai-sdk/provider";
import type { Client } from "../client.js";
import { TrunklineError } from "../errors.js";
import type { Done, Event } from "../events.js";
import { fieldsOf } from "../items.js";
import type { Options } from "../options.js";
import type { Usage } from "../reports.js";
import type { FoundSession, SessionFinder } from "../session-finder.js";
import type { Turn } from "../turn.js";
import { callName, contentOf } from "./content.js";
import { failureOf } from "./errors.js";
import { convert } from "./prompt.js";
import type { Declared } from "./tools.js";
import { customKey, PROVIDER, toolNamed, toolsOf } from "./tools.js";

/** Of all calls of a model, or of one call, as `providerOptions: { trunkline: … }`. */
export interface Settings extends Options {
  /** The session of these calls. By default it is found by their history. */
  readonly sessionId?: string;
  /** Where a session is named: `providerMetadata.trunkline.continuation` of its latest answer. */
  readonly continuation?: string;
  /** Whether the upstream forces an answer to fit the schema of `Output.object` and the like. True. */
  readonly strictJsonSchema?: boolean;
}

const UNSUPPORTED = ["topK", "presencePenalty", "frequencyPenalty", "stopSequences", "seed"] as const;
const REASONS: Record<string, ai.LanguageModelV4FinishReason["unified"]> = {
  stop: "stop",
  tool_use: "tool-calls",
  action_required: "tool-calls",
  length: "length",
  content_filter: "content-filter",
};
/** What comes before content: a call that fails during these may be made again. */
const PRELUDE = new Set<string>(["stream-start", "response-metadata", "raw"]);
/** Calls that only the upstream runs. */
const HOSTED = /^(web_search|file_search|code_interpreter|image_generation|mcp)_call$/;

type StreamPart = ai.LanguageModelV4StreamPart;

interface Call {
  readonly turn: Turn;
  readonly tools: Declared;
  readonly warnings: ai.SharedV4Warning[];
  readonly sessionId: string;
  readonly found?: FoundSession;
}

export class LanguageModel implements ai.LanguageModelV4 {
  readonly specificationVersion = "v4";
  readonly provider = PROVIDER;
  readonly supportedUrls = { "image/*": [/^https:/], "application/pdf": [/^https:/] };
  readonly #client: Client;
  readonly #sessions: SessionFinder;
  readonly #settings: Settings;

  constructor(readonly modelId: string, client: Client, sessions: SessionFinder, settings: Settings) {
    this.#client = client;
    this.#sessions = sessions;
    this.#settings = settings;
  }

  async doGenerate(options: ai.LanguageModelV4CallOptions): Promise<ai.LanguageModelV4GenerateResult> {
    const call = await this.#begin(options);
    let done: Done | undefined;
    try {
      done = await call.turn.result();
    } catch (error) {
      throw this.#failure(error, options, call);
    } finally {
      await call.found?.settle(done);
    }
    const content = contentOf(done, turnIdOf(call), call.tools).flat();
    return { content, ...ending(done, call), warnings: call.warnings, response: responseOf(done) };
  }

  async doStream(options: ai.LanguageModelV4CallOptions): Promise<ai.LanguageModelV4StreamResult> {
    const call = await this.#begin(options);
    const parts = this.#parts(call, options);
    const head: StreamPart[] = [];
    for (let next = await parts.next(); !next.done; next = await parts.next()) {
      head.push(next.value);
      if (!PRELUDE.has(next.value.type)) break;
    }
    const stream = new ReadableStream<StreamPart>({
      pull: async (controller) => {
        const value = head.shift() ?? (await parts.next()).value;
        if (value) controller.enqueue(value);
        else controller.close();
      },
      cancel: async (reason) => {
        call.turn.cancel(reason);
        await parts.return();
      },
    });
    return { stream };
  }

  /** Throws where the call fails before content. A failure after content is the last part but one. */
  async *#parts(call: Call, options: ai.LanguageModelV4CallOptions): AsyncGenerator<StreamPart, void> {
    const begun = new Set<number>();
    yield { type: "stream-start", warnings: call.warnings };
    try {
      for await (const event of call.turn) {
        if (options.includeRawChunks) yield { type: "raw", rawValue: event };
        if (event.kind === "start") yield { type: "response-metadata", modelId: event.model };
        else if (event.kind !== "done") yield* deltaOf(event, call, begun);
        else yield* this.#end(event, call, begun);
      }
    } catch (error) {
      const failure = this.#failure(error, options, call);
      if (begun.size === 0 || options.abortSignal?.aborted) throw failure;
      yield { type: "error", error: failure };
      const usage = usageOf(error instanceof TrunklineError ? error.usage : undefined);
      yield { type: "finish", finishReason: { unified: "error", raw: undefined }, usage };
    } finally {
      if (call.turn.done === undefined) await call.found?.settle(undefined);
    }
  }

  async *#end(done: Done, call: Call, begun: Set<number>): AsyncGenerator<StreamPart, void> {
    await call.found?.settle(done);
    for (const [index, contents] of contentOf(done, turnIdOf(call), call.tools).entries()) {
      for (const content of contents) yield* contentParts(content, callName(turnIdOf(call), index), begun.has(index));
    }
    yield { type: "response-metadata", ...responseOf(done) };
    yield { type: "finish", ...ending(done, call) };
  }

  async #begin(options: ai.LanguageModelV4CallOptions): Promise<Call> {
    const { temperature, topP, maxOutputTokens, responseFormat, abortSignal: signal } = options;
    const warnings: ai.SharedV4Warning[] = [];
    for (const feature of UNSUPPORTED) if (options[feature] !== undefined) warnings.push({ type: "unsupported", feature });
    const own: Settings = { ...this.#settings, ...options.providerOptions?.[PROVIDER] };
    const { declared, ...asked } = toolsOf(options, warnings);
    const prompt = convert(options.prompt, warnings);
    const found = own.sessionId === undefined ? await this.#sessions.take(prompt.messages) : undefined;
    const reasoningEffort = options.reasoning === "provider-default" ? undefined : options.reasoning;
    const textFormat = formatOf(responseFormat, own.strictJsonSchema);
    const settings = { temperature, topP, maxOutputTokens, reasoningEffort, textFormat, ...asked };
    const { sessionId = found!.sessionId, continuation = found?.continuation } = own;
    const request = { model: this.modelId, ...settings, ...prompt, ...own, sessionId, continuation, signal };
    return { turn: this.#client.stream(request), tools: declared, warnings, sessionId, found };
  }

  #failure(error: unknown, { abortSignal }: ai.LanguageModelV4CallOptions, { sessionId }: Call): unknown {
    return failureOf(error, abortSignal, { model: this.modelId, sessionId });
  }
}

function* deltaOf(event: Exclude<Event, Done>, { turn, tools }: Call, begun: Set<number>): Generator<StreamPart> {
  if (event.kind === "start") return;
  const id = callName(turn.start?.turnId ?? "", event.contentIndex);
  const isFirst = !begun.has(event.contentIndex);
  if (event.kind === "item_progress") {
    if (!isFirst || !HOSTED.test(event.itemType)) return;
    yield { type: "tool-input-start", id, ...toolNamed(tools, event.itemType), providerExecuted: true };
  } else if (event.kind === "tool_call_delta") {
    const custom = customKey(tools, event.name);
    const encoding = custom === undefined ? {} : { inputEncoding: "text" as const };
    if (isFirst) yield { type: "tool-input-start", id: event.callId, toolName: custom ?? event.name, ...encoding };
    if (event.delta) yield { type: "tool-input-delta", id: event.callId, delta: event.delta };
  } else {
    const type = event.kind === "reasoning_delta" ? "reasoning" : "text";
    if (isFirst) yield { type: `${type}-start`, id };
    yield { type: `${type}-delta`, id, delta: event.delta };
  }
  begun.add(event.contentIndex);
}

/** What is left to say of a content when it is whole. */
function* contentParts(content: ai.LanguageModelV4Content, id: string, begun: boolean): Generator<StreamPart> {
  if (content.type === "text" || content.type === "reasoning") {
    const { type, text, ...rest } = content;
    if (!begun) yield { type: `${type}-start`, id };
    if (!begun && text) yield { type: `${type}-delta`, id, delta: text };
    yield { type: `${type}-end`, id, ...rest };
    return;
  }
  if (content.type === "tool-call" && begun) yield { type: "tool-input-end", id: content.toolCallId };
  yield content;
}

function ending({ stopReason: raw, usage, report, serviceTier, provider, continuation }: Done, { sessionId }: Call) {
  const shown = { sessionId, report, serviceTier, provider, continuation };
  const json = JSON.parse(JSON.stringify(shown)) as ai.JSONObject; // without what is undefined
  const finishReason = { unified: REASONS[raw] ?? "other", raw };
  return { finishReason, usage: usageOf(usage), providerMetadata: { [PROVIDER]: json } };
}

function responseOf({ report, model, createdAt }: Done) {
  return { id: report.responseId, modelId: model, timestamp: createdAt };
}

function turnIdOf({ turn }: Call): string {
  return turn.start?.turnId ?? "";
}

function formatOf(format: ai.LanguageModelV4CallOptions["responseFormat"], strict = true): Options["textFormat"] {
  if (format?.type !== "json") return undefined;
  const { schema, name = "response" } = format;
  return schema === undefined ? "json_object" : { name, schema, strict };
}

function usageOf(usage?: Usage): ai.LanguageModelV4Usage {
  const { inputTokens, cachedInputTokens, cacheWriteTokens, outputTokens, reasoningTokens } = usage ?? ({} as Partial<Usage>);
  const less = (total?: number, ...parts: (number | undefined)[]) =>
    total === undefined ? undefined : parts.reduce<number>((left, part) => left - (part ?? 0), total);
  return {
    inputTokens: {
      total: inputTokens,
      noCache: less(inputTokens, cachedInputTokens, cacheWriteTokens),
      cacheRead: cachedInputTokens,
      cacheWrite: cacheWriteTokens,
    },
    outputTokens: { total: outputTokens, text: less(outputTokens, reasoningTokens), reasoning: reasoningTokens },
    raw: usage && (fieldsOf(usage.detailsJson) as ai.JSONObject),
  };
}
