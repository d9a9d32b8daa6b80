/**
 * Tools: what the model may call, and the calling. Whatever goes wrong in a call is news for the model (an
 * `isError` result), never an exception for the caller.
 */
import type { Message, Tool as ToolProto, ToolCallPart } from "./gen/trunkline/v1/message_pb.js";
import { ToolCallKind, ToolSchema } from "./gen/trunkline/v1/message_pb.js";
import { create } from "@bufbuild/protobuf";
import { fieldsOf, word } from "./items.js";
import { toolResult } from "./messages.js";
import type { Json } from "./options.js";
import { asJson } from "./options.js";

/** What a function knows of its call, besides the arguments. */
export interface ToolContext {
  readonly callId: string;
  /** Aborted when the run is stopped. */
  readonly signal: AbortSignal;
}

/**
 * What the model may call. `run` gets the arguments as the model wrote them: an object, but nobody has held it
 * to the schema. Without it the tool is only declared: answer its calls yourself, or give `conversation.run`
 * one of the same name. See `customTool` and `toolDefinition` for tools of another kind.
 */
export interface Tool {
  /** A hosted tool has none: "". */
  readonly name: string;
  readonly description?: string;
  /** A JSON Schema of the arguments. */
  readonly parameters?: Json;
  /** Whether the upstream forces the arguments to fit the schema. */
  readonly strict?: boolean;
  /** Declares a tool of another kind, for the upstream as it is written; the fields above are then not sent. */
  readonly definition?: Json;
  /** Returns text, parts, nothing, or a value to be sent as JSON. */
  // `any`: each tool names the type of its own arguments; `unknown` would refuse that.
  readonly run?: (args: any, context: ToolContext) => unknown;
}

/**
 * A tool of any kind by its definition: `{ type: "web_search" }`. `run` is for what the model calls by the
 * definition's name: a function, or a custom tool.
 */
export function toolDefinition(definition: Json, run?: Tool["run"]): Tool {
  const fields = fieldsOf(asJson(definition));
  const name = ["function", "custom"].includes(word(fields, "type")) ? word(fields, "name") : "";
  return { name, definition, run };
}

/** What a custom tool is made of. `format` is the upstream's: `{ type: "grammar", syntax: "regex", definition }`. */
export interface CustomTool {
  readonly name: string;
  readonly description?: string;
  readonly format?: object;
  readonly run?: (input: string, context: ToolContext) => unknown;
}

/** A custom tool: it takes one text, which the model writes freely or by a grammar. */
export function customTool({ name, description, format, run }: CustomTool): Tool {
  return toolDefinition({ type: "custom", name, description: description || undefined, format }, run);
}

export function toolProto(tool: Tool): ToolProto {
  if (tool.definition !== undefined) return create(ToolSchema, { definitionJson: asJson(tool.definition) });
  const { name, description, parameters, strict } = tool;
  return create(ToolSchema, { name, description, parameters: parameters && asJson(parameters), strict });
}

/**
 * What is declared, in its order, each replaced by what is given under its name; what is new comes after. Tools
 * without a name are distinguished by their definition.
 */
export function merged(declared: readonly Tool[], given: readonly Tool[]): Tool[] {
  return [...new Map([...declared, ...given].map((tool) => [tool.name || asJson(tool.definition ?? ""), tool])).values()];
}

/** Calls a tool. Never rejects. */
export async function callTool(call: ToolCallPart, tools: readonly Tool[], signal: AbortSignal): Promise<Message> {
  const { callId, name } = call;
  const failed = (problem: string) => toolResult(callId, problem, { isError: true });
  const tool = tools.find((tool) => tool.name === name);
  if (tool?.run === undefined) return failed(`there is no tool named "${name}"`);
  const custom = isCustom(tool);
  if ((call.kind === ToolCallKind.CUSTOM) !== custom) {
    return failed(`the tool "${name}" is ${custom ? "a custom one" : "not a custom one"}`);
  }
  let args: unknown = call.arguments; // a custom tool's text is never parsed
  if (!custom) {
    try {
      args = JSON.parse(call.arguments);
    } catch (error) {
      return failed(`the arguments are not valid JSON: ${described(error)}`);
    }
    if (typeof args !== "object" || args === null || Array.isArray(args)) {
      return failed("the arguments are not a JSON object");
    }
  }
  try {
    return toolResult(callId, await tool.run(args, { callId, signal }));
  } catch (error) {
    return failed(described(error));
  }
}

function isCustom({ definition }: Tool): boolean {
  return definition !== undefined && word(fieldsOf(asJson(definition)), "type") === "custom";
}

function described(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
