/**
 * Messages and parts: short names for what a conversation is made of.
 *
 * A message is the wire's own, never a copy of it in another shape: what the service answered goes back as it
 * came, with fields that this version does not know.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, isMessage } from "@bufbuild/protobuf";
import type { Message, Part, ToolCallPart } from "./gen/trunkline/v1/message_pb.js";
import { MessageSchema, PartSchema, Role } from "./gen/trunkline/v1/message_pb.js";
import type { Word } from "./reports.js";

/** What may stand in a message: text, or a part made by the functions below. */
export type Content = string | Part;

/** What a turn may be given: text, parts (of one user message), messages, or a mixture. */
export type Input = string | Part | Message | readonly (string | Part | Message)[];

/** How closely the model looks at an image. */
export type Detail = Word<"auto" | "low" | "high" | "original">;

/** A message of the person or program that asks. */
export function user(...content: Content[]): Message {
  return message(Role.USER, content);
}

/** System rules inside the conversation. */
export function system(...content: Content[]): Message {
  return message(Role.SYSTEM, content);
}

/** Developer rules inside the conversation. */
export function developer(...content: Content[]): Message {
  return message(Role.DEVELOPER, content);
}

/** What the model is to believe that it said. Real answers are kept by the conversation itself. */
export function assistant(...content: Content[]): Message {
  return message(Role.ASSISTANT, content);
}

/** What a call returned: text, a part, an array of parts, nothing; all else goes as JSON. */
export function toolResult(callId: string, output?: unknown, options: { isError?: boolean } = {}): Message {
  const result = { callId, parts: outputParts(output), isError: options.isError ?? false };
  return create(MessageSchema, { role: Role.TOOL, parts: [{ part: { case: "toolResult", value: result } }] });
}

export function text(content: string): Part {
  return part({ case: "text", value: { text: content } });
}

/** An image at an https or data URL. */
export function imageUrl(url: string, detail: Detail = ""): Part {
  return part({ case: "image", value: { source: { case: "url", value: url }, detail } });
}

export function imageBytes(data: Uint8Array, mimeType: string, detail: Detail = ""): Part {
  return part({ case: "image", value: { source: { case: "data", value: data }, mimeType, detail } });
}

/** An image that was uploaded to the upstream. */
export function imageId(fileId: string, detail: Detail = ""): Part {
  return part({ case: "image", value: { source: { case: "fileId", value: fileId }, detail } });
}

/** A file at an https URL. */
export function fileUrl(url: string): Part {
  return part({ case: "file", value: { source: { case: "url", value: url } } });
}

export function fileBytes(data: Uint8Array, filename: string, mimeType: string): Part {
  return part({ case: "file", value: { source: { case: "data", value: data }, filename, mimeType } });
}

/** A file that was uploaded to the upstream. */
export function fileId(id: string): Part {
  return part({ case: "file", value: { source: { case: "fileId", value: id } } });
}

/** All text of a message, joined; refusals, reasoning and tool calls are not text. */
export function textOf(message: Message): string {
  return message.parts.map(({ part }) => (part.case === "text" ? part.value.text : "")).join("");
}

export function refusalOf(message: Message): string {
  return message.parts.map(({ part }) => (part.case === "refusal" ? part.value.text : "")).join("");
}

export function toolCallsOf(message: Message): ToolCallPart[] {
  return message.parts.flatMap(({ part }) => (part.case === "toolCall" ? [part.value] : []));
}

/** What a turn was given, as messages: text and parts that stand side by side are one user message. */
export function asMessages(input: Input | undefined): Message[] {
  if (input === undefined) return [];
  const messages: Message[] = [];
  let beside: Content[] = [];
  const flush = () => {
    if (beside.length > 0) messages.push(user(...beside));
    beside = [];
  };
  for (const item of Array.isArray(input) ? (input as readonly (Content | Message)[]) : [input as Content | Message]) {
    if (isMessage(item, MessageSchema)) {
      flush();
      messages.push(item);
    } else {
      beside.push(item);
    }
  }
  flush();
  return messages;
}

type PartCase = NonNullable<MessageInitShape<typeof PartSchema>["part"]>;

function part(value: PartCase): Part {
  return create(PartSchema, { part: value });
}

function message(role: Role, content: readonly Content[]): Message {
  return create(MessageSchema, { role, parts: content.map(asPart) });
}

function asPart(content: Content): Part {
  return typeof content === "string" ? text(content) : content;
}

function outputParts(output: unknown): Part[] {
  if (output === undefined || output === null) return [];
  if (typeof output === "string" || isMessage(output, PartSchema)) return [asPart(output)];
  if (Array.isArray(output) && output.length > 0 && output.every((item) => isMessage(item, PartSchema))) return output;
  const json: string | undefined = JSON.stringify(output);
  return json === undefined ? [] : [text(json)];
}
