/** The AI SDK's prompt → messages. What carries our provider metadata goes back as the model said it. */
import type * as ai from "@ai-sdk/provider";
import { InvalidPromptError } from "@ai-sdk/provider";
import type { JsonValue } from "@bufbuild/protobuf";
import { create, fromJson } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import type { Message, Part, UpstreamItemPart } from "../gen/trunkline/v1/message_pb.js";
import { MessageSchema, PartSchema, Role } from "../gen/trunkline/v1/message_pb.js";
import { actionResult, fieldsOf, word } from "../items.js";
import * as make from "../messages.js";
import type { Detail } from "../messages.js";
import type { Json } from "../options.js";
import { asJson } from "../options.js";
import { PROVIDER } from "./tools.js";

type Assistant = Extract<ai.LanguageModelV4Message, { role: "assistant" }>["content"][number];
type FromTools = Extract<ai.LanguageModelV4Message, { role: "tool" }>["content"][number];
type File = Pick<ai.LanguageModelV4FilePart, "data" | "mediaType" | "filename" | "providerOptions">;

/** What a turn needs of a prompt. What stands first as system messages are its instructions. */
export interface Converted {
  readonly instructions: string;
  readonly messages: Message[];
}

export function convert(prompt: ai.LanguageModelV4Prompt, warnings: ai.SharedV4Warning[]): Converted {
  const first = prompt.findIndex(({ role }) => role !== "system");
  const rules = first < 0 ? prompt : prompt.slice(0, first);
  const instructions = rules.map(({ content }) => content).join("\n\n");
  const calls = new Map<string, Part>();
  const messages = prompt.slice(rules.length).flatMap((message): Message[] => {
    switch (message.role) {
      case "system":
        return [make.system(message.content)];
      case "user":
        return [make.user(...message.content.map((part) => (part.type === "text" ? part.text : fileOf(part))))];
      case "assistant":
        return [answerOf(message.content, prompt, calls, warnings)];
      case "tool":
        return message.content.flatMap((part) => resultOf(part, calls));
    }
  });
  return { instructions, messages };
}

function answerOf(
  content: readonly Assistant[],
  prompt: ai.LanguageModelV4Prompt,
  calls: Map<string, Part>,
  warnings: ai.SharedV4Warning[],
): Message {
  const turns = new Map<string, { part: Part; index: number }[]>();
  let turn = "";
  for (const piece of content) {
    const kept = own(piece, prompt);
    const part = kept?.part ?? foreign(piece, calls, warnings);
    turn = kept?.turn ?? turn;
    const placed = turns.get(turn) ?? [];
    turns.set(turn, placed);
    const index = kept?.index ?? placed.at(-1)?.index ?? 0;
    // Some give a call's metadata to its result, too.
    if (part === undefined || (piece.type === "tool-result" && placed.some((other) => other.index === index))) continue;
    const isText = part.part.case === "text" || part.part.case === "refusal";
    if (piece.type === "text" && isText) (part.part.value as { text: string }).text = piece.text;
    if (piece.type === "tool-call") calls.set(piece.toolCallId, part);
    placed.push({ part, index });
  }
  const inOrder = [...turns.values()].flatMap((placed) => placed.sort((a, b) => a.index - b.index));
  return create(MessageSchema, { role: Role.ASSISTANT, parts: inOrder.map(({ part }) => part) });
}

/** What `kept` in content.ts wrote. Throws an `InvalidPromptError` where somebody changed it. */
function own({ type, providerOptions }: Assistant, prompt: ai.LanguageModelV4Prompt) {
  const { turn, index, part } = providerOptions?.[PROVIDER] ?? {};
  if (part === undefined) return undefined;
  try {
    const read = fromJson(PartSchema, part as JsonValue, { ignoreUnknownFields: true });
    return { turn: String(turn), index: Number(index), part: read };
  } catch (cause) {
    const message = `providerOptions.${PROVIDER}.part of a ${type} part of the assistant is not what an answer had; leave it out`;
    throw new InvalidPromptError({ prompt, message, cause });
  }
}

/** A piece of an answer that another provider gave, or that somebody wrote. */
function foreign(piece: Assistant, calls: Map<string, Part>, warnings: ai.SharedV4Warning[]): Part | undefined {
  if (piece.type === "text") return piece.text === "" ? undefined : make.text(piece.text);
  if (piece.type === "tool-call" && piece.providerExecuted !== true) {
    const { toolCallId: callId, toolName: name, input } = piece;
    return create(PartSchema, { part: { case: "toolCall", value: { callId, name, arguments: asJson(input as Json) } } });
  }
  if (piece.type === "tool-result" && calls.has(piece.toolCallId)) return undefined; // its call is the whole item
  warnings.push({ type: "other", message: `left out a ${piece.type} part of the assistant that ${PROVIDER} did not write` });
  return undefined;
}

function resultOf(piece: FromTools, calls: ReadonlyMap<string, Part>): Message[] {
  if (piece.type === "tool-approval-response") {
    const { approvalId, approved: approve, reason } = piece;
    return [actionResult({ type: "mcp_approval_response", approval_request_id: approvalId, approve, reason })];
  }
  const { toolCallId, output } = piece;
  const call = calls.get(toolCallId)?.part;
  if (call?.case === "upstreamItem") return answering(call.value, output);
  switch (output.type) {
    case "text":
      return [make.toolResult(toolCallId, output.value)];
    case "json":
      return [make.toolResult(toolCallId, JSON.stringify(output.value))];
    case "error-text":
      return [make.toolResult(toolCallId, output.value, { isError: true })];
    case "error-json":
      return [make.toolResult(toolCallId, JSON.stringify(output.value), { isError: true })];
    case "execution-denied":
      return [make.toolResult(toolCallId, output.reason ?? "The user denied this call.", { isError: true })];
    case "content": {
      const parts = output.value.flatMap((part) => {
        if (part.type === "text") return [make.text(part.text)];
        return part.type === "file" ? [fileOf(part)] : [];
      });
      return [make.toolResult(toolCallId, parts.length > 0 ? parts : undefined)];
    }
  }
}

/** The item that answers another one: what the tool returned are its fields, or its output. */
function answering({ type, json }: UpstreamItemPart, output: ai.LanguageModelV4ToolResultOutput): Message[] {
  if (type === "mcp_approval_request") return []; // what answers it is the approval
  const callId = word(fieldsOf(json), "call_id");
  const value = "value" in output ? output.value : output.reason;
  const fields = typeof value === "object" && value !== null && !Array.isArray(value) ? value : { output: value };
  const named = type === "local_shell_call" ? { id: callId } : { call_id: callId };
  return [actionResult({ type: `${type.replace("tool_search_call", "tool_search")}_output`, ...named, ...fields })];
}

function fileOf({ data, mediaType, filename, providerOptions }: File): Part {
  const isImage = mediaType.startsWith("image");
  const detail = providerOptions?.[PROVIDER]?.["detail"] as Detail | undefined;
  switch (data.type) {
    case "text":
      return make.text(data.text);
    case "url":
      return isImage ? make.imageUrl(data.url.href, detail) : make.fileUrl(data.url.href);
    case "reference": {
      const id = data.reference[PROVIDER] ?? data.reference["openai"] ?? "";
      return isImage ? make.imageId(id, detail) : make.fileId(id);
    }
    case "data": {
      const bytes = typeof data.data === "string" ? base64Decode(data.data) : data.data;
      return isImage ? make.imageBytes(bytes, mediaType, detail) : make.fileBytes(bytes, filename ?? "file", mediaType);
    }
  }
}
