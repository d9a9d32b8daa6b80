/**
 * Tools: what the model may call, and the calling. Whatever goes wrong in a call is news for the model (an
 * `isError` result), never an exception for the caller.
 */
import type { Message, Tool as ToolProto, ToolCallPart } from "./gen/trunkline/v1/message_pb.js";
import { ToolSchema } from "./gen/trunkline/v1/message_pb.js";
import { create } from "@bufbuild/protobuf";
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
 * one of the same name.
 */
export interface Tool {
  readonly name: string;
  readonly description?: string;
  /** A JSON Schema of the arguments. */
  readonly parameters?: Json;
  /** Whether the upstream forces the arguments to fit the schema. */
  readonly strict?: boolean;
  /** Returns text, parts, nothing, or a value to be sent as JSON. */
  // `any`: each tool names the type of its own arguments; `unknown` would refuse that.
  readonly run?: (args: any, context: ToolContext) => unknown;
}

export function toolProto(tool: Tool): ToolProto {
  const { name, description, parameters, strict } = tool;
  return create(ToolSchema, { name, description, parameters: parameters && asJson(parameters), strict });
}

/** What is declared, in its order, each replaced by what is given under its name; what is new comes after. */
export function merged(declared: readonly Tool[], given: readonly Tool[]): Tool[] {
  return [...new Map([...declared, ...given].map((tool) => [tool.name, tool])).values()];
}

/** Calls a tool. Never rejects. */
export async function callTool(call: ToolCallPart, tools: readonly Tool[], signal: AbortSignal): Promise<Message> {
  const { callId, name } = call;
  const failed = (problem: string) => toolResult(callId, problem, { isError: true });
  const tool = tools.find((tool) => tool.name === name);
  if (tool?.run === undefined) return failed(`there is no tool named "${name}"`);
  let args: unknown;
  try {
    args = JSON.parse(call.arguments);
  } catch (error) {
    return failed(`the arguments are not valid JSON: ${described(error)}`);
  }
  if (typeof args !== "object" || args === null || Array.isArray(args)) {
    return failed("the arguments are not a JSON object");
  }
  try {
    return toolResult(callId, await tool.run(args, { callId, signal }));
  } catch (error) {
    return failed(described(error));
  }
}

function described(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
