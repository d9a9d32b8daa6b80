/** The events of a turn → the events of an agent's stream, each with the message as far as it has come. */
import type { Api, AssistantMessage, AssistantMessageEventStream, Model, ToolCall } from "@mariozechner/pi-ai";
import { calculateCost } from "@mariozechner/pi-ai";
import { TrunklineError } from "../errors.js";
import type { Done, Event, Start } from "../events.js";
import type { Usage } from "../reports.js";
import type { Block } from "./blocks.js";
import { argumentsOf, blocksOf } from "./blocks.js";

type Stop = "stop" | "length" | "toolUse";
const STOPS: Record<string, Stop> = { tool_use: "toolUse", length: "length", content_filter: "length" };
const NAMES = { text: "text", thinking: "thinking", toolCall: "toolcall" } as const;

/** What a service tier costs, as a multiple: the numbers of pi's own provider. */
const TIERS: Record<string, number> = { flex: 0.5, priority: 2 };
const COSTS = ["input", "output", "cacheRead", "cacheWrite", "total"] as const;

export class MessageWriter {
  readonly #model: Model<Api>;
  readonly #stream: AssistantMessageEventStream;
  readonly #message: AssistantMessage;
  /** The block that grows; -1: none. */
  #open = -1;
  #json = "";

  constructor(model: Model<Api>, stream: AssistantMessageEventStream) {
    this.#model = model;
    this.#stream = stream;
    const { api, provider, id } = model;
    const cost = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 };
    const usage = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, totalTokens: 0, cost };
    const by = { api, provider, model: id, timestamp: Date.now() };
    this.#message = { role: "assistant", content: [], ...by, usage, stopReason: "stop" };
  }

  begin(): void {
    this.#stream.push({ type: "start", partial: this.#message });
  }

  write(event: Exclude<Event, Start | Done>): void {
    const { contentIndex } = event;
    const partial = this.#message;
    switch (event.kind) {
      case "text_delta":
      case "refusal_delta": {
        const block = this.#at(contentIndex, { type: "text", text: "" });
        if (block.type === "text") block.text += event.delta;
        this.#stream.push({ type: "text_delta", contentIndex, delta: event.delta, partial });
        return;
      }
      case "reasoning_delta": {
        const block = this.#at(contentIndex, { type: "thinking", thinking: "" });
        if (block.type === "thinking") block.thinking += event.delta;
        this.#stream.push({ type: "thinking_delta", contentIndex, delta: event.delta, partial });
        return;
      }
      case "tool_call_delta": {
        const { callId: id, name, delta } = event;
        const block = this.#at(contentIndex, { type: "toolCall", id, name, arguments: {} });
        this.#json += delta;
        if (block.type === "toolCall") block.arguments = argumentsOf(this.#json);
        if (delta) this.#stream.push({ type: "toolcall_delta", contentIndex, delta, partial });
        return;
      }
      case "item_progress":
        this.#at(contentIndex, { type: "thinking", thinking: "" });
    }
  }

  end(done: Done): void {
    const message = this.#message;
    const { content } = message;
    const begun = content.length;
    for (const [index, block] of blocksOf(done.message).entries()) {
      // What has streamed is completed in its place, where an interface may hold it.
      if (index < begun) content[index] = content[index]?.type === block.type ? Object.assign(content[index], block) : block;
      else this.#whole(index, block);
    }
    this.#close();
    content.splice(done.message.parts.length); // a call that was cut off
    this.#count(done.usage, done.serviceTier);
    message.responseId = done.report.responseId;
    if (done.model && done.model !== message.model) message.responseModel = done.model;
    message.stopReason = STOPS[done.stopReason] ?? "stop";
    this.#stream.push({ type: "done", reason: STOPS[done.stopReason] ?? "stop", message });
  }

  fail(error: unknown, isAborted: boolean): void {
    const message = this.#message;
    const reason = isAborted ? "aborted" : "error";
    if (error instanceof TrunklineError && error.usage) this.#count(error.usage, "");
    message.stopReason = reason;
    message.errorMessage = isAborted ? "Request was aborted" : error instanceof Error ? error.message : String(error);
    this.#stream.push({ type: "error", reason, error: message });
  }

  /** The block with this index, which begins now unless it has begun. */
  #at(contentIndex: number, block: Block): Block {
    const { content } = this.#message;
    while (content.length < contentIndex) this.#at(content.length, { type: "thinking", thinking: "" });
    const known = content[contentIndex];
    if (known !== undefined) return known;
    this.#close();
    content.push(block);
    this.#open = contentIndex;
    this.#json = "";
    this.#stream.push({ type: `${NAMES[block.type]}_start`, contentIndex, partial: this.#message });
    return block;
  }

  #close(): void {
    const [contentIndex, partial] = [this.#open, this.#message];
    const block = partial.content[contentIndex];
    this.#open = -1;
    if (block?.type === "text") this.#stream.push({ type: "text_end", contentIndex, content: block.text, partial });
    if (block?.type === "thinking") this.#stream.push({ type: "thinking_end", contentIndex, content: block.thinking, partial });
    if (block?.type === "toolCall") this.#stream.push({ type: "toolcall_end", contentIndex, toolCall: block, partial });
  }

  /** A block that has not streamed. */
  #whole(contentIndex: number, block: Block): void {
    this.#at(contentIndex, block);
    const words = block.type === "text" ? block.text : block.type === "thinking" ? block.thinking : undefined;
    const delta = words ?? JSON.stringify((block as ToolCall).arguments);
    if (delta) this.#stream.push({ type: `${NAMES[block.type]}_delta`, contentIndex, delta, partial: this.#message });
  }

  /** Where a model's price list has no price for writing to the cache, that is input, as in pi's own provider. */
  #count(usage: Usage, serviceTier: string): void {
    const { inputTokens, cachedInputTokens: cacheRead, outputTokens: output, totalTokens } = usage;
    const cacheWrite = this.#model.cost.cacheWrite > 0 ? usage.cacheWriteTokens : 0;
    const input = inputTokens - cacheRead - cacheWrite;
    const counted = Object.assign(this.#message.usage, { input, cacheRead, cacheWrite, output, totalTokens });
    calculateCost(this.#model, counted);
    const multiple = TIERS[serviceTier] ?? 1;
    for (const name of COSTS) counted.cost[name] *= multiple;
  }
}
