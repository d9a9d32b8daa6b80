/** Two tools that need nobody else, and those of the upstream that the settings name. */
import type { Tool } from "trunkline/web";
import { toolDefinition } from "trunkline/web";
import { parsed, word } from "./json.js";

const TIME_ZONES = ["America/Lima", "Europe/Oslo", "Asia/Tokyo", "Africa/Nairobi", "UTC"];

const clock: Tool = {
  name: "clock",
  description: "The time of day and the date in a time zone.",
  parameters: {
    type: "object",
    properties: { time_zone: { type: "string", enum: TIME_ZONES } },
    required: ["time_zone"],
    additionalProperties: false,
  },
  run: ({ time_zone }: { time_zone: string }) =>
    new Date().toLocaleString("en", { timeZone: time_zone, dateStyle: "full", timeStyle: "short" }),
};

const dice: Tool = {
  name: "roll_dice",
  description: "Rolls dice and returns what each shows.",
  parameters: {
    type: "object",
    properties: { count: { type: "integer", minimum: 1, maximum: 20 } },
    required: ["count"],
    additionalProperties: false,
  },
  run: ({ count }: { count: number }) => Array.from({ length: count }, () => 1 + Math.floor(Math.random() * 6)),
};

export const tools: Tool[] = [clock, dice];

/** What the upstream leaves out unless it is asked for, by the type of its tool. */
const REPORTED: Record<string, string> = {
  web_search: "web_search_call.action.sources",
  file_search: "file_search_call.results",
  code_interpreter: "code_interpreter_call.outputs",
};

/** The tools of a JSON list of their definitions. Undefined: it is none. */
export function hosted(json: string): Tool[] | undefined {
  const definitions = json.trim() === "" ? [] : parsed(json);
  const all = Array.isArray(definitions) && definitions.every((one) => word(one, "type") !== "");
  return all ? definitions.map((one) => toolDefinition(one)) : undefined;
}

export function reported(tools: readonly Tool[]): string[] {
  return tools.flatMap(({ definition }) => REPORTED[word(definition, "type")] ?? []);
}
