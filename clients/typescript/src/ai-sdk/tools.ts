/** Tools of the AI SDK → tools of a turn. Those that are no functions are declared by a definition: see `tool`. */
import type * as ai from "@ai-sdk/provider";
import type { ProviderDefinedTool, ProviderExecutedTool } from "@ai-sdk/provider-utils";
import { word } from "../items.js";
import type { Options } from "../options.js";
import type { Tool } from "../tools.js";
import { toolDefinition } from "../tools.js";

/** Names the provider, its options and its metadata. */
export const PROVIDER = "trunkline";

/** The tools of a call that are declared by a definition, by their names there. */
export type Declared = ReadonlyMap<string, ai.JSONObject>;

/** Whatever the upstream says is a call's input: nothing here judges it. */
const ANY = { "~standard": { version: 1 as const, vendor: PROVIDER, validate: (value: unknown) => ({ value }) } };

/**
 * A tool that is no function, by the upstream's definition: `tool({ type: "web_search" })`. The upstream runs it, unless
 * `execute` does: it gets a custom tool's text, or the item that asks (a shell, a patch, a computer), and returns the
 * text, or the fields of the item that answers.
 */
export function tool(definition: ai.JSONObject, execute: (input: any) => unknown): ProviderDefinedTool<any, any>;
export function tool(definition: ai.JSONObject): ProviderExecutedTool<any, any>;
export function tool(args: ai.JSONObject, execute?: (input: any) => unknown): any {
  const id = `${PROVIDER}.${word(args, "type")}` as const;
  const shared = { type: "provider" as const, id, args, inputSchema: ANY };
  if (execute !== undefined) return { ...shared, isProviderExecuted: false as const, execute };
  return { ...shared, isProviderExecuted: true as const, outputSchema: ANY };
}

/** What a turn needs of the call's tools. Warns of those that only another provider knows. */
export function toolsOf(
  { tools = [], toolChoice }: ai.LanguageModelV4CallOptions,
  warnings: ai.SharedV4Warning[],
): { declared: Declared; tools: Tool[]; toolChoice: Options["toolChoice"] } {
  const declared = new Map<string, ai.JSONObject>();
  const known = tools.flatMap((tool): Tool[] => {
    if (tool.type === "function") {
      const { name, description, inputSchema, strict } = tool;
      return [{ name, description, parameters: inputSchema, strict }];
    }
    if (!tool.id.startsWith(`${PROVIDER}.`)) {
      const details = "declare it by trunkline.tool({ type: … })";
      warnings.push({ type: "unsupported", feature: `the tool ${tool.id}`, details });
      return [];
    }
    declared.set(tool.name, tool.args as ai.JSONObject);
    return [toolDefinition(tool.args)];
  });
  return { declared, tools: known, toolChoice: toolChoice && choiceOf(toolChoice, declared) };
}

function choiceOf(choice: ai.LanguageModelV4ToolChoice, declared: Declared): Options["toolChoice"] {
  if (choice.type !== "tool") return choice.type;
  const { type, name } = declared.get(choice.toolName) ?? {};
  return type === undefined ? { function: choice.toolName } : { definition: name === undefined ? { type } : { type, name } };
}

/** The name in the call's tools of the tool to which an item belongs: `web_search_call` → "web_search". */
export function toolNamed(declared: Declared, itemType: string): { toolName: string; dynamic?: true } {
  const kind = itemType.replace(/_(call|call_output|output|approval_request)$/, "");
  const found = [...declared].find(([, definition]) => word(definition, "type").startsWith(kind));
  return found ? { toolName: found[0] } : { toolName: kind, dynamic: true };
}

/** The name in the call's tools of a custom tool; undefined: it is none. */
export function customKey(declared: Declared, name: string): string | undefined {
  return [...declared].find(([, { type, name: own }]) => type === "custom" && own === name)?.[0];
}
