/**
 * The conversation of an agent as the body of a Responses request, which is what `onPayload` hooks read and change.
 *
 * What an answer said stands in the signatures of its blocks, as pi's own provider writes them: a thought, and any item
 * that has no block of its own, whole; of a text the id and the phase. See blocks.ts.
 */
import type { Api, AssistantMessage, Context, ImageContent, Model } from "@mariozechner/pi-ai";
import type { SimpleStreamOptions, TextContent, Tool } from "@mariozechner/pi-ai";
import { clampThinkingLevel } from "@mariozechner/pi-ai";
import { fieldsOf } from "../items.js";

/** An object of the Responses API. */
export type Body = Record<string, unknown>;
type Content = TextContent | ImageContent;

/** What an agent may say besides pi's own options. */
export interface StreamOptions extends SimpleStreamOptions {
  readonly topP?: number;
  readonly toolChoice?: unknown;
  readonly reasoningEffort?: string;
  readonly reasoningSummary?: string;
  readonly serviceTier?: string;
  /** Send instructions and tools ahead, over a new connection, before the first turn. */
  readonly openaiWsWarmup?: boolean;
}

/**
 * Items that stand in a block as the model said them. Most types say whose an item is, and an output that the upstream
 * itself gave does not. A hook that copies one loses this, at the cost of a full request.
 */
export const SAID = new WeakSet<object>();

/** As pi's own providers: at most so many tokens, whatever the model allows. */
const MAX_OUTPUT_TOKENS = 32_000;

/** The body of a request. `hosted`: definitions of tools that are not the agent's. */
export function payloadOf(model: Model<Api>, context: Context, options: StreamOptions, hosted: readonly object[]): Body {
  const { temperature, topP, toolChoice, serviceTier, cacheRetention } = options;
  const tools = [...(context.tools ?? []).map(toolOf), ...hosted];
  const most = model.maxTokens > 0 ? Math.min(model.maxTokens, MAX_OUTPUT_TOKENS) : undefined;
  const body: Body = {
    model: model.id,
    store: false,
    input: inputOf(model, context),
    instructions: context.systemPrompt || undefined,
    tools: tools.length > 0 ? tools : undefined,
    max_output_tokens: options.maxTokens ?? most,
    temperature,
    top_p: topP,
    tool_choice: toolChoice,
    service_tier: serviceTier,
    reasoning: reasoningOf(model, options),
    prompt_cache_retention: cacheRetention === "long" ? "24h" : undefined,
  };
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
}

function toolOf({ name, description, parameters }: Tool): Body {
  return { type: "function", name, description, parameters, strict: false };
}

function reasoningOf(model: Model<Api>, { reasoning, reasoningEffort, reasoningSummary }: StreamOptions): Body | undefined {
  const levels = model.thinkingLevelMap;
  const level = reasoning && clampThinkingLevel(model, reasoning);
  const wanted = reasoningEffort ?? (level === undefined || level === "off" ? undefined : (levels?.[level] ?? level));
  if (wanted || reasoningSummary) return { effort: wanted ?? "medium", summary: reasoningSummary ?? "auto" };
  return model.reasoning && levels?.off !== null ? { effort: levels?.off ?? "none" } : undefined;
}

/** As pi does, an answer that failed is left out, and a call that nothing answers gets a result. */
function inputOf(model: Model<Api>, { messages }: Context): Body[] {
  const input: Body[] = [];
  let open = new Set<string>();
  const close = () => {
    for (const call_id of open) input.push({ type: "function_call_output", call_id, output: "No result provided" });
    open = new Set();
  };
  for (const message of messages) {
    if (message.role === "toolResult") {
      const call_id = callIdOf(message.toolCallId);
      open.delete(call_id);
      input.push({ type: "function_call_output", call_id, output: outputOf(message.content, model) });
      continue;
    }
    close();
    if (message.role === "user") {
      const { content } = message;
      const blocks = typeof content === "string" ? [{ type: "text" as const, text: content }] : content;
      if (blocks.length > 0) input.push({ role: "user", content: blocks.map((block) => contentOf(block, model)) });
    } else if (message.stopReason !== "error" && message.stopReason !== "aborted") {
      input.push(...itemsOf(message));
      for (const block of message.content) if (block.type === "toolCall") open.add(callIdOf(block.id));
    }
  }
  close();
  return input;
}

/** pi's id of a call is that of the call and that of its item. */
function callIdOf(id: string): string {
  return id.split("|")[0]!;
}

function contentOf(block: Content, { input }: Model<Api>): Body {
  if (block.type === "text") return { type: "input_text", text: block.text };
  if (!input.includes("image")) return { type: "input_text", text: "(an image, which this model cannot see)" };
  return { type: "input_image", detail: "auto", image_url: `data:${block.mimeType};base64,${block.data}` };
}

function outputOf(blocks: readonly Content[], model: Model<Api>): unknown {
  if (blocks.some(({ type }) => type === "image")) return blocks.map((block) => contentOf(block, model));
  return blocks.map((block) => (block as TextContent).text).join("\n");
}

function itemsOf({ content }: AssistantMessage): Body[] {
  const items: Body[] = [];
  for (const block of content) {
    if (block.type === "thinking") {
      const item = fieldsOf(block.thinkingSignature ?? "") as Body;
      SAID.add(item);
      if (item["type"] !== undefined) items.push(item);
      else if (block.thinking.trim() && !block.redacted) items.push(textItem(block.thinking, {})); // of another API
    } else if (block.type === "text") {
      const item = textItem(block.text, fieldsOf(block.textSignature ?? ""));
      const last = items.at(-1);
      const isSame = item["id"] !== undefined && last?.["id"] === item["id"];
      if (isSame) (last["content"] as unknown[]).push(...(item["content"] as unknown[]));
      else items.push(item);
    } else {
      const [call_id, id] = block.id.split("|");
      const { type = "function_call", ...kept } = fieldsOf(block.thoughtSignature ?? "");
      const said = type === "function_call" ? { arguments: JSON.stringify(block.arguments) } : {};
      items.push({ type, call_id, id, name: block.name, ...said, ...kept });
    }
  }
  return items;
}

function textItem(text: string, { v: _, id, phase, part, ...extra }: Body): Body {
  const content: Body = { type: "output_text", ...(part as Body | undefined) };
  content[content["type"] === "refusal" ? "refusal" : "text"] = text;
  return { type: "message", role: "assistant", content: [content], id: id || undefined, phase, ...extra };
}
