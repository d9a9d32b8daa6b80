/** The transcript of a run, as clients/conformance/README.md defines it: what happened → lines. */
import { createHash } from "node:crypto";
import type {
  Compaction,
  Done,
  Event,
  Fields,
  Message,
  RunningTurn,
  Session,
  ToolCallPart,
  TrunklineError,
  Usage,
} from "../src/node.js";
import { STATUSES } from "../src/errors.js";
import { Role, ToolCallKind } from "../src/gen/trunkline/v1/message_pb.js";
import type { Step } from "./given.js";

const LONGEST_TEXT = 200;
const IDS = /\b([a-z]{2,4})_[0-9a-z]{12,}/g;

/** The lines of one scenario. */
export class Transcript {
  readonly #write: (line: string) => void;
  readonly #run: string;
  readonly #ids = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  constructor(write: (line: string) => void, run: string) {
    this.#write = write;
    this.#run = run;
  }

  line(word: string, value?: unknown): void {
    const line = value === undefined ? word : `${word} ${ascii(JSON.stringify(value))}`;
    this.#write(`${line.replaceAll(this.#run, "RUN").replace(IDS, (id, prefix: string) => this.#named(id, prefix))}\n`);
  }

  session(session: Session): void {
    this.line("session", {
      session_id: session.sessionId,
      live: session.live,
      line_state: session.lineState,
      turns: session.turns,
      incremental_turns: session.incrementalTurns,
      saved: session.bytesSaved > 0,
      created: session.createdAt !== undefined,
      used: session.lastUsedAt !== undefined,
    });
  }

  turn({ turnId, turnKey, startedAt, ended, lastSequence }: RunningTurn): void {
    const started = startedAt !== undefined;
    this.line("turn", { turn_id: turnId !== "", key: turnKey, started, ended, sequence: lastSequence > 0 });
  }

  history(messages: readonly Message[]): void {
    this.line("history", kindsOf(messages));
  }

  compacted({ messages, usage: cost, responseId, provider, createdAt }: Compaction): void {
    this.line("compacted", {
      messages: kindsOf(messages),
      usage: usage(cost),
      response_id: responseId !== "",
      provider,
      created: createdAt !== undefined,
    });
  }

  #named(id: string, prefix: string): string {
    let name = this.#ids.get(id);
    if (name === undefined) {
      const count = (this.#counts.get(prefix) ?? 0) + 1;
      this.#counts.set(prefix, count);
      name = `<${prefix}-${count}>`;
      this.#ids.set(id, name);
    }
    return name;
  }
}

/** The events of one step. Neighbouring deltas of one part become one line. */
export class EventPrinter {
  readonly #transcript: Transcript;
  readonly #masked: boolean;
  readonly #details: boolean;
  readonly #kept: boolean;
  /** The last end. */
  ended: Done | undefined;
  /** Events are no longer shown: only an error is. */
  silent = false;
  #open: { key: string; word: string; text: string; value: (text: string) => object } | undefined;

  constructor(transcript: Transcript, { mask = false, details = false, kept = false }: Omit<Step, "do">) {
    this.#transcript = transcript;
    this.#masked = mask;
    this.#details = details;
    this.#kept = kept;
  }

  event(event: Event): void {
    if (this.silent) return;
    switch (event.kind) {
      case "start": {
        const { turnId, model, transport, context } = event;
        return this.#whole("start", { turn_id: turnId !== "", model, transport, context });
      }
      case "text_delta":
        return this.#delta("text", event, (delta) => ({ index: event.contentIndex, delta }));
      case "refusal_delta":
        return this.#delta("refusal", event, (delta) => ({ index: event.contentIndex, delta }));
      case "reasoning_delta":
        return this.#delta("reasoning", event, (delta) => ({ index: event.contentIndex, of: event.of, delta }));
      case "tool_call_delta": {
        const { contentIndex: index, callId: call_id, name } = event;
        return this.#delta("call", event, (delta) => ({ index, call_id, name, delta }));
      }
      case "item_progress": {
        const { contentIndex: index, itemType: item_type, eventType: event_type, json } = event;
        return this.#whole("progress", { index, item_type, event_type, json: json !== "" });
      }
      case "done":
        return this.done(event);
    }
  }

  done(done: Done): void {
    const { report } = done;
    this.#whole("done", {
      stop_reason: done.stopReason,
      model: done.model,
      provider: done.provider,
      created: done.createdAt !== undefined,
      parts: this.#parts(done.message),
      usage: this.#masked ? null : usage(done.usage),
      report: {
        response_id: report.responseId !== "",
        transport: report.transport,
        transport_reason: report.transportReason,
        context: report.context,
        context_reason: report.contextReason,
        attempts: report.attempts,
        reused: report.connectionReused,
        saved: report.bytesSaved > 0,
        timed: report.timings.totalMs !== undefined,
      },
    });
    this.ended = done;
    if (this.#details) this.#whole("details", details(done));
    if (this.#kept) this.#whole("kept", { attached: report.attached, continuation: done.continuation !== "" });
  }

  error(error: TrunklineError): void {
    const ownWords = error.reason === "CANCELLED" || error.reason === "DEADLINE_EXCEEDED";
    const { upstream } = error;
    this.#whole("error", {
      reason: error.reason,
      status: STATUSES.indexOf(error.status),
      message: ownWords ? null : error.rawMessage,
      retryable: error.retryable,
      retry_after: error.retryAfterMs === undefined ? null : Math.round(error.retryAfterMs / 1000),
      sent: error.sent === undefined ? "unknown" : String(error.sent),
      partial: error.partial === undefined ? null : this.#parts(error.partial),
      upstream: upstream
        ? { code: upstream.code, type: upstream.type, status: upstream.status, request_id: upstream.requestId !== "" }
        : null,
      usage: this.#masked || error.usage === undefined ? null : usage(error.usage),
      attempts: error.report?.attempts ?? null,
      violations: error.violations,
    });
  }

  #delta(word: string, event: Event & { delta: string }, value: (text: string) => object): void {
    const key = JSON.stringify([word, value("")]);
    if (this.#open?.key !== key) {
      this.#flush();
      this.#open = { key, word, text: "", value };
    }
    this.#open.text += event.delta;
  }

  #whole(word: string, value: object): void {
    this.#flush();
    this.#transcript.line(word, value);
  }

  #flush(): void {
    if (this.#open !== undefined) this.#transcript.line(this.#open.word, this.#open.value(this.#text(this.#open.text)));
    this.#open = undefined;
  }

  #parts(message: Message): object[] {
    return message.parts.map(({ part }) => {
      switch (part.case) {
        case "text":
          return { text: this.#text(part.value.text), phase: part.value.phase };
        case "reasoning": {
          const { summary, content, encryptedContent } = part.value;
          const texts = (all: string[]) => all.map((text) => this.#text(text));
          return { reasoning: texts(summary), content: texts(content), encrypted: encryptedContent !== "" };
        }
        case "refusal":
          return { refusal: this.#text(part.value.text) };
        case "toolCall":
          return this.#call(part.value);
        case "upstreamItem": // whole, whatever its length: it is passed on as it is written
          return { item: part.value.type, json: this.#masked ? "<text>" : part.value.json };
        default:
          throw new Error(`an answer holds no ${part.case}`);
      }
    });
  }

  #call({ kind, callId, name, arguments: args }: ToolCallPart): object {
    if (kind === ToolCallKind.CUSTOM) return { custom: callId, name, input: this.#text(args) };
    return { call: callId, name, arguments: this.#text(args) };
  }

  #text(text: string): string {
    if (this.#masked) return "<text>";
    const bytes = Buffer.from(text, "utf8");
    if (bytes.length <= LONGEST_TEXT) return text;
    return `<${bytes.length} bytes, sha256 ${createHash("sha256").update(bytes).digest("hex")}>`;
  }
}

function usage(usage: Usage): object {
  return {
    input: usage.inputTokens,
    cached: usage.cachedInputTokens,
    written: usage.cacheWriteTokens,
    output: usage.outputTokens,
    reasoning: usage.reasoningTokens,
    total: usage.totalTokens,
  };
}

function details(done: Done): object {
  const source = ({ url, file_id }: Fields) => url || (file_id ?? "");
  return {
    tier: done.serviceTier,
    usage: done.usage.detailsJson !== "",
    annotations: done.annotations.map((one) => ({ type: one["type"], source: source(one) })),
    logprobs: done.logprobs.length,
    actions: done.actions.map(({ type }) => type),
    ignored: Object.fromEntries(Object.entries(done.report.ignoredEvents).sort()),
  };
}

function kindsOf(messages: readonly Message[]): string[] {
  return messages.map(({ role, parts }) => `${Role[role].toLowerCase()}:${parts.map(kindOf).join(",")}`);
}

function kindOf({ part }: Message["parts"][number]): string {
  if (part.case === "toolCall") return part.value.kind === ToolCallKind.CUSTOM ? "custom" : "call";
  if (part.case === "upstreamItem") return "item";
  if (part.case === "toolResult") return part.value.isError ? "failed" : "result";
  return part.case ?? "";
}

function ascii(json: string): string {
  return json.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
