/** The body of a Responses request → a turn. What a hook has put there goes along, by its name or as `extraBody`. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type { TurnRequest } from "../client.js";
import type { Message, Part } from "../gen/trunkline/v1/message_pb.js";
import { MessageSchema, PartSchema, Role, ToolCallKind } from "../gen/trunkline/v1/message_pb.js";
import { upstreamItem, word } from "../items.js";
import type { Detail } from "../messages.js";
import { fileId, fileUrl, imageId, imageUrl, text } from "../messages.js";
import type { TextFormat, ToolChoice } from "../options.js";
import type { Tool } from "../tools.js";
import { toolDefinition } from "../tools.js";
import type { Body } from "./payload.js";
import { SAID } from "./payload.js";

type PartInit = MessageInitShape<typeof PartSchema>;

const ROLES: Record<string, Role> = { system: Role.SYSTEM, developer: Role.DEVELOPER };
/** What a caller says. All other items are the model's. */
const ANSWERS = /(_output|_response)$/;
const ASKS = /^(item_reference|compaction_trigger|configuration_update)$/;

/** The turn, but for its session. */
export function requestOf(body: Body): Omit<TurnRequest, "sessionId"> {
  const { model, input, instructions, tools, store, temperature, metadata, include, ...settings } = body as any;
  const { reasoning, text: form, ...rest } = settings;
  const { max_output_tokens, top_p, tool_choice, parallel_tool_calls, prompt_cache_key, service_tier, ...others } = rest;
  const { truncation, safety_identifier, ...unnamed } = others;
  const { effort, summary, ...thinking } = reasoning ?? {};
  const { format, verbosity, ...writing } = form ?? {};
  const extra = { ...unnamed, ...nested("reasoning", thinking), ...nested("text", writing) };
  return {
    ...{ model, instructions, store, temperature, metadata, include, verbosity, truncation },
    messages: messagesOf(typeof input === "string" ? [{ role: "user", content: input }] : (input ?? [])),
    tools: (tools ?? []).map(toolOf),
    toolChoice: choiceOf(tool_choice),
    textFormat: formatOf(format),
    reasoningEffort: effort ?? undefined,
    reasoningSummary: summary ?? undefined,
    maxOutputTokens: max_output_tokens ?? undefined,
    topP: top_p ?? undefined,
    parallelToolCalls: parallel_tool_calls ?? undefined,
    promptCacheKey: prompt_cache_key ?? undefined,
    serviceTier: service_tier ?? undefined,
    safetyIdentifier: safety_identifier ?? undefined,
    extraBody: Object.keys(extra).length > 0 ? extra : undefined,
  };
}

function nested(name: string, value: object): Body {
  return Object.keys(value).length > 0 ? { [name]: value } : {};
}

function toolOf(tool: Body): Tool {
  const { type, name, description, parameters, strict, ...more } = tool;
  if (type !== "function" || Object.keys(more).length > 0) return toolDefinition(tool);
  return { name, description, parameters, strict: strict ?? undefined } as Tool;
}

function choiceOf(choice: unknown): ToolChoice | undefined {
  if (typeof choice !== "object" || choice === null) return (choice as ToolChoice | null) ?? undefined;
  const { type, name } = choice as Body;
  return type === "function" && typeof name === "string" ? { function: name } : { definition: choice };
}

function formatOf(format: Body | undefined): TextFormat | undefined {
  if (format?.["type"] === "json_schema") return format as unknown as TextFormat;
  return format?.["type"] === "json_object" ? "json_object" : format && "plain";
}

/** Items of the model that stand side by side are one message. */
function messagesOf(input: readonly Body[]): Message[] {
  const messages: Message[] = [];
  for (const item of input) {
    const { role, parts } = read(item);
    const last = messages.at(-1);
    if (role === Role.ASSISTANT && last?.role === role) last.parts.push(...parts);
    else messages.push(create(MessageSchema, { role, parts }));
  }
  return messages;
}

function read(item: Body): { role: Role; parts: Part[] } {
  const { type = "message", id, status: _, ...fields } = item as any;
  const itemId = id ?? "";
  if (SAID.has(item) && ANSWERS.test(type)) return { role: Role.ASSISTANT, parts: [upstreamItem(item)] };
  const said = (part: PartInit["part"], extra: object = {}) => {
    const extraJson = Object.keys(extra).length > 0 ? JSON.stringify(extra) : "";
    return { role: Role.ASSISTANT, parts: [create(PartSchema, { part, itemId, extraJson })] };
  };
  switch (type) {
    case "message": {
      const { role, content, phase, ...extra } = fields;
      const parts = typeof content === "string" ? [text(content)] : content.map((part: Body) => partOf(part, phase));
      if (role !== "assistant") return { role: ROLES[role] ?? Role.USER, parts };
      for (const part of parts) part.itemId = itemId;
      if (parts.length > 0 && Object.keys(extra).length > 0) parts[0].extraJson = JSON.stringify(extra);
      return { role: Role.ASSISTANT, parts };
    }
    case "reasoning": {
      const { summary, content, encrypted_content: encryptedContent, ...extra } = fields;
      const [short, long] = [summary, content].map((list) => (list ?? []).map((one: Body) => one["text"]));
      return said({ case: "reasoning", value: { id: itemId, summary: short, content: long, encryptedContent } }, extra);
    }
    case "function_call":
    case "custom_tool_call": {
      const { call_id: callId, name, arguments: json, input, ...extra } = fields;
      const kind = type === "function_call" ? ToolCallKind.FUNCTION : ToolCallKind.CUSTOM;
      return said({ case: "toolCall", value: { callId, name, arguments: json ?? input, kind } }, extra);
    }
    case "function_call_output":
    case "custom_tool_call_output": {
      const { call_id: callId, output } = fields;
      const parts = typeof output === "string" ? [text(output)] : output.map((part: Body) => partOf(part));
      return { role: Role.TOOL, parts: [create(PartSchema, { part: { case: "toolResult", value: { callId, parts } } })] };
    }
    default: {
      const role = ASKS.test(type) ? Role.USER : ANSWERS.test(type) ? Role.TOOL : Role.ASSISTANT;
      return { role, parts: [upstreamItem(item)] };
    }
  }
}

function partOf(content: Body, phase = ""): Part {
  const { type, text: written, annotations, logprobs, detail } = content as any;
  const url = word(content, "image_url") || word(content, "file_url");
  if (type === "input_image") return url ? imageUrl(url, detail as Detail) : imageId(word(content, "file_id"), detail);
  if (type === "input_file") return url ? fileUrl(url) : fileId(word(content, "file_id"));
  if (type === "refusal") return create(PartSchema, { part: { case: "refusal", value: { text: word(content, "refusal") } } });
  const [annotationsJson, logprobsJson] = [annotations, logprobs].map((list) => (list?.length > 0 ? JSON.stringify(list) : ""));
  return create(PartSchema, { part: { case: "text", value: { text: written, phase, annotationsJson, logprobsJson } } });
}
