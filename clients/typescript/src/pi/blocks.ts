/** The model's answer → the blocks of an agent's message. Their signatures keep what has no other place there. */
import type { AssistantMessage } from "@mariozechner/pi-ai";
import { parseStreamingJson } from "@mariozechner/pi-ai";
import type { Message, Part, ToolCallPart } from "../gen/trunkline/v1/message_pb.js";
import { ToolCallKind } from "../gen/trunkline/v1/message_pb.js";
import { answeredIn, fieldsOf, listOf } from "../items.js";

export type Block = AssistantMessage["content"][number];

/** One block for each part. An item without a block of its own is a thought without words, signed by all of it. */
export function blocksOf(message: Message): Block[] {
  const answered = answeredIn(message);
  return message.parts.map((part): Block => {
    switch (part.part.case) {
      case "text": {
        const { text, phase, annotationsJson, logprobsJson } = part.part.value;
        const more = { annotations: listed(annotationsJson), logprobs: listed(logprobsJson) };
        return { type: "text", text, textSignature: signature(part, { phase: phase || undefined, part: filled(more) }) };
      }
      case "refusal":
        return { type: "text", text: part.part.value.text, textSignature: signature(part, { part: { type: "refusal" } }) };
      case "reasoning": {
        const { id, summary, content, encryptedContent } = part.part.value;
        const item = {
          type: "reasoning",
          id: id || undefined,
          summary: summary.map((text) => ({ type: "summary_text", text })),
          content: content.length > 0 ? content.map((text) => ({ type: "reasoning_text", text })) : undefined,
          encrypted_content: encryptedContent || undefined,
          ...fieldsOf(part.extraJson),
        };
        const thinking = (summary.length > 0 ? summary : content).join("\n\n");
        return { type: "thinking", thinking, thinkingSignature: JSON.stringify(item) };
      }
      case "toolCall":
        return answered.has(part.part.value.callId) ? silent(itemOf(part, part.part.value)) : callOf(part, part.part.value);
      default:
        return silent(part.part.case === "upstreamItem" ? part.part.value.json : "");
    }
  });
}

/** As pi's own provider signs a text, with what its item says besides. */
function signature({ itemId, extraJson }: Part, kept: { phase?: string; part?: object }): string {
  return JSON.stringify({ v: 1, id: itemId, ...kept, ...fieldsOf(extraJson) });
}

function silent(thinkingSignature: string): Block {
  return { type: "thinking", thinking: "", thinkingSignature };
}

/** A call that the upstream has answered: no agent is to make it. */
function itemOf({ itemId, extraJson }: Part, { callId: call_id, name, arguments: written, kind }: ToolCallPart): string {
  const custom = kind === ToolCallKind.CUSTOM;
  const said = custom ? { type: "custom_tool_call", input: written } : { type: "function_call", arguments: written };
  return JSON.stringify({ ...said, call_id, name, id: itemId || undefined, ...fieldsOf(extraJson) });
}

/** The id is the call's alone: it is known when the call is first seen. */
function callOf({ itemId, extraJson }: Part, { callId: id, name, arguments: written, kind }: ToolCallPart): Block {
  const custom = kind === ToolCallKind.CUSTOM;
  const said = custom ? { type: "custom_tool_call", input: written } : isExact(written) ? {} : { arguments: written };
  const thoughtSignature = JSON.stringify({ id: itemId || undefined, ...said, ...fieldsOf(extraJson) });
  return { type: "toolCall", id, name, arguments: argumentsOf(written, custom), thoughtSignature };
}

/** What is there of a call's arguments, for a tool. A custom tool has one, `input`. */
export function argumentsOf(written: string, custom = false): Record<string, unknown> {
  return custom ? { input: written } : parseStreamingJson(written);
}

/** Whether the parsed arguments say the same: what is no JSON, and what has more digits than a number, is not. */
function isExact(written: string): boolean {
  try {
    JSON.parse(written);
    return !/\d{16}/.test(written);
  } catch {
    return false;
  }
}

function listed(json: string) {
  const list = listOf(json);
  return list.length > 0 ? list : undefined;
}

/** Undefined: nothing is in it. */
function filled(value: object): object | undefined {
  return Object.values(value).some((one) => one !== undefined) ? value : undefined;
}
