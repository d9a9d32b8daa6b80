/**
 * The model's answer → the AI SDK's content. Each part takes along, as provider metadata, what it needs to go back as
 * it came: itself as protobuf JSON, and its index, since what runs at the upstream is known last and stands earlier.
 */
import type * as ai from "@ai-sdk/provider";
import { clone, toJson } from "@bufbuild/protobuf";
import type { Done } from "../events.js";
import type { Part, TextPart, UpstreamItemPart } from "../gen/trunkline/v1/message_pb.js";
import { PartSchema, ToolCallKind } from "../gen/trunkline/v1/message_pb.js";
import type { Fields } from "../items.js";
import { answeredIn, fieldsOf, listOf, word } from "../items.js";
import type { Declared } from "./tools.js";
import { customKey, PROVIDER, toolNamed } from "./tools.js";

/** The content that each part of an answer becomes, in the order of the parts. */
export function contentOf({ message, actions }: Done, turnId: string, tools: Declared): ai.LanguageModelV4Content[][] {
  const waiting = new Set(actions);
  const answered = answeredIn(message);
  return message.parts.map((part, index): ai.LanguageModelV4Content[] => {
    const name = callName(turnId, index);
    const providerMetadata = kept(part, turnId, index);
    switch (part.part.case) {
      case "text":
        return textOf(part.part.value, name, providerMetadata);
      case "refusal":
        return [{ type: "text", text: part.part.value.text, providerMetadata }];
      case "reasoning": {
        const { summary, content } = part.part.value;
        return [{ type: "reasoning", text: [...summary, ...content].join("\n\n"), providerMetadata }];
      }
      case "toolCall": {
        const { callId: toolCallId, name: toolName, arguments: input, kind } = part.part.value;
        const upstream = answered.has(toolCallId) ? { providerExecuted: true, dynamic: true } : {};
        const call = { type: "tool-call" as const, toolCallId, toolName, input, ...upstream, providerMetadata };
        if (kind !== ToolCallKind.CUSTOM) return [call];
        return [{ ...call, toolName: customKey(tools, toolName) ?? toolName, input: JSON.stringify(input) }];
      }
      case "upstreamItem": {
        const item = part.part.value;
        const callId = word(fieldsOf(item.json), "call_id");
        const output = waiting.has(item) ? "later" : callId && answered.has(callId) ? "here" : "none";
        return itemOf(item, callId || name, output, tools, providerMetadata);
      }
      default:
        return [];
    }
  });
}

/** Names a call that the upstream runs: the ids of its items may be missing, and change from event to event. */
export function callName(turnId: string, index: number): string {
  return `${turnId}.${index}`;
}

function kept(part: Part, turn: string, index: number): ai.SharedV4ProviderMetadata {
  const copy = clone(PartSchema, part);
  if (copy.part.case === "text" || copy.part.case === "refusal") copy.part.value.text = ""; // the framework keeps it
  return { [PROVIDER]: { turn, index, part: toJson(PartSchema, copy) } };
}

function textOf({ text, annotationsJson }: TextPart, name: string, providerMetadata: ai.SharedV4ProviderMetadata) {
  const cited = listOf(annotationsJson).flatMap((fields, number) => {
    const source = sourceOf(fields, `${name}.${number}`);
    const { start_index: startIndex, end_index: endIndex } = fields as { start_index?: number; end_index?: number };
    return source === undefined ? [] : [{ source, startIndex, endIndex }];
  });
  const citations = cited.length > 0 ? { citations: cited } : {};
  return [{ type: "text" as const, text, ...citations, providerMetadata }, ...cited.map(({ source }) => source)];
}

function sourceOf(fields: Fields, id: string): ai.LanguageModelV4Source | undefined {
  const [url, fileId] = [word(fields, "url"), word(fields, "file_id")];
  if (url) return { type: "source", sourceType: "url", id, url, title: word(fields, "title") || undefined };
  if (!fileId) return undefined;
  const title = word(fields, "filename") || fileId;
  const providerMetadata = { [PROVIDER]: { annotation: fields as ai.JSONObject } };
  return { type: "source", sourceType: "document", id, mediaType: "text/plain", title, filename: title, providerMetadata };
}

/** `output`: whether another item answers a call: one of this answer, one of the caller's, or none: it is in the call. */
function itemOf(
  { type, json }: UpstreamItemPart,
  toolCallId: string,
  output: "here" | "later" | "none",
  tools: Declared,
  providerMetadata: ai.SharedV4ProviderMetadata,
): ai.LanguageModelV4Content[] {
  const fields = fieldsOf(json) as ai.JSONObject;
  const called = { toolCallId, ...toolNamed(tools, type) };
  const upstream = { ...called, providerExecuted: true, input: inputOf(fields), providerMetadata };
  if (type === "mcp_approval_request" && output === "later") {
    const request = { type: "tool-approval-request" as const, approvalId: word(fields, "id"), toolCallId };
    return [{ type: "tool-call", ...upstream }, request];
  }
  const result = { type: "tool-result" as const, ...called, result: fields, isError: fields["status"] === "failed" };
  if (type.endsWith("_output") && output === "here") return [{ ...result, providerMetadata }];
  if (!type.endsWith("_call") && output !== "here") return [{ type: "custom", kind: `${PROVIDER}.${type}`, providerMetadata }];
  if (output === "later") return [{ type: "tool-call", ...called, input: json, providerMetadata }];
  return [{ type: "tool-call", ...upstream }, ...(output === "none" ? [result] : [])];
}

function inputOf({ arguments: written, action, code }: ai.JSONObject): string {
  return typeof written === "string" ? written : JSON.stringify(action ?? (code === undefined ? {} : { code }));
}
