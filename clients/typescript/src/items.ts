/**
 * Items of the upstream that have no part of their own, and what the upstream adds to texts.
 *
 * An item is passed on as it is written: it is parsed to find out what it is, and never changed.
 */
import { create, isMessage } from "@bufbuild/protobuf";
import type { Message, Part, UpstreamItemPart } from "./gen/trunkline/v1/message_pb.js";
import { MessageSchema, PartSchema, Role } from "./gen/trunkline/v1/message_pb.js";
import type { Json } from "./options.js";
import { asJson } from "./options.js";

/** An item of the upstream: a part made by `upstreamItem`, an object, or its JSON. */
export type Item = Part | Json;

/** A JSON object of the upstream. */
export type Fields = Readonly<Record<string, unknown>>;

const APPROVAL_REQUEST = "mcp_approval_request";

/**
 * An item with its `type`, for the upstream as it is written: what answers a call of the model
 * (`shell_call_output`), an `item_reference`, … The service refuses an item without a type.
 */
export function upstreamItem(item: Json): Part {
  const json = asJson(item);
  const value = { type: word(fieldsOf(json), "type"), json };
  return create(PartSchema, { part: { case: "upstreamItem", value } });
}

/** What answers the actions of an answer. `conversation.answer` also sends it. */
export function actionResult(...items: Item[]): Message {
  const parts = items.map((item) => (isMessage(item, PartSchema) ? item : upstreamItem(item)));
  return create(MessageSchema, { role: Role.TOOL, parts });
}

/** The answer to an `mcp_approval_request`. Throws a `TypeError` where the item is none. */
export function approval(request: UpstreamItemPart, approve: boolean, options: { reason?: string } = {}): Part {
  const id = word(fieldsOf(request.json), "id");
  if (request.type !== APPROVAL_REQUEST || id === "") {
    throw new TypeError(`${request.type || "an item without a type"} is not an ${APPROVAL_REQUEST} with an id`);
  }
  const reason = options.reason ? { reason: options.reason } : {};
  return upstreamItem({ type: "mcp_approval_response", approval_request_id: id, approve, ...reason });
}

export function upstreamItemsOf(message: Message): UpstreamItemPart[] {
  return message.parts.flatMap(({ part }) => (part.case === "upstreamItem" ? [part.value] : []));
}

/** The citations of all texts, in order, as the upstream wrote them. */
export function annotationsOf(message: Message): Fields[] {
  return message.parts.flatMap(({ part }) => (part.case === "text" ? listOf(part.value.annotationsJson) : []));
}

/** The log probabilities of all texts, token by token, as the upstream wrote them. */
export function logprobsOf(message: Message): Fields[] {
  return message.parts.flatMap(({ part }) => (part.case === "text" ? listOf(part.value.logprobsJson) : []));
}

/** The ids of the calls that the message answers: results of tools, and output items of any kind. */
export function answeredIn(message: Message): Set<string> {
  const answered = new Set<string>();
  for (const { part } of message.parts) {
    if (part.case === "toolResult") answered.add(part.value.callId);
    if (part.case === "upstreamItem" && part.value.type.endsWith("_output")) {
      answered.add(word(fieldsOf(part.value.json), "call_id"));
    }
  }
  return answered;
}

/**
 * The items that ask for an answer which no other item of the message gives. A call asks by its `call_id` and a
 * request for approval by its id. A hosted tool's call has no `call_id`, or its output is in the same message.
 */
export function actionsOf(message: Message): UpstreamItemPart[] {
  const answered = answeredIn(message).add(""); // what has no name asks nothing
  const asked: [string, UpstreamItemPart][] = [];
  for (const item of upstreamItemsOf(message)) {
    const fields = fieldsOf(item.json);
    answered.add(word(fields, "approval_request_id"));
    if (item.type === APPROVAL_REQUEST) asked.push([word(fields, "id"), item]);
    else if (item.type.endsWith("_call")) asked.push([word(fields, "call_id"), item]);
  }
  return asked.flatMap(([name, item]) => (answered.has(name) ? [] : [item]));
}

/** The object of a JSON text. Empty where the text is no object. */
export function fieldsOf(written: string): Fields {
  const value = parsed(written);
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function word(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === "string" ? value : "";
}

export function listOf(written: string): Fields[] {
  const value = parsed(written);
  return Array.isArray(value) ? value : [];
}

function parsed(written: string): unknown {
  try {
    return JSON.parse(written);
  } catch {
    return undefined;
  }
}
