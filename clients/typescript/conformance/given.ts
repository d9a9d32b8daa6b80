/** What a scenario's JSON says, made into what the client takes: tools, inputs, options and answers. */
import type { Input, Options, Part, Tool, TurnOptions, UpstreamItemPart } from "../src/node.js";
import { approval, customTool, toolDefinition, upstreamItem, user } from "../src/node.js";

export interface Turn {
  text?: string;
  repeat?: { of: string; count: number };
  /** Items of the upstream, after the text. */
  items?: string[];
  options?: Record<string, unknown>;
  timeout_ms?: number;
  turn_key?: string;
  after_sequence?: number;
  mask?: boolean;
}

type Moment = "start" | "text";

export interface Step extends Turn {
  do: string;
  cancel_on?: Moment;
  stop_on?: Moment;
  cut_on?: Moment;
  cut_after_ms?: number;
  key?: string;
  index?: number;
  max_rounds?: number;
  page_size?: number;
  prime?: boolean;
  /** Of `together` two turns; of `get` whether the running ones are shown. */
  turns?: Turn[] | true;
  /** One for each action of the scenario's last end. */
  answers?: string[];
  details?: boolean;
  kept?: boolean;
}

export interface Scenario {
  name: string;
  session?: string;
  instructions?: string;
  tools?: string[];
  steps: Step[];
}

export interface ToolData {
  description?: string;
  parameters?: string;
  /** A tool of any kind, as it is written. */
  definition?: string;
  custom?: boolean;
  fails?: boolean;
}

export interface Suite {
  model: string;
  tools: Record<string, ToolData>;
  scenarios: Scenario[];
}

const OPTIONS: Record<string, keyof Options> = {
  transport: "transport",
  max_output_tokens: "maxOutputTokens",
  parallel_tool_calls: "parallelToolCalls",
  reasoning_effort: "reasoningEffort",
  reasoning_summary: "reasoningSummary",
  include: "include",
  tool_choice: "toolChoice",
  store: "store",
  resume: "resume",
  linger: "lingerMs",
  heartbeat: "heartbeatMs",
};

export function toolOf(suite: Suite, name: string): Tool {
  const tool = suite.tools[name];
  if (tool === undefined) throw new Error(`unknown tool: ${name}`);
  const run = ({ query }: { query: string }) => {
    if (tool.fails) throw new Error("it is broken");
    return `found ${query}`;
  };
  const { description, parameters, definition, custom } = tool;
  if (definition !== undefined) return toolDefinition(definition, run);
  if (custom) return customTool({ name, description, run: (query) => run({ query }) });
  return { name, description, parameters, run };
}

export function textOf({ text, repeat }: Turn): string | undefined {
  return text === undefined ? undefined : text + (repeat ? repeat.of.repeat(repeat.count) : "");
}

/** The text; with items of the upstream, one message of both. */
export function inputOf(turn: Turn): Input | undefined {
  return turn.items === undefined ? textOf(turn) : user(textOf(turn) ?? "", ...turn.items.map(upstreamItem));
}

export function optionsOf({ options = {}, timeout_ms }: Turn): TurnOptions {
  const entries = Object.entries(options).map(([name, value]) => {
    const option = OPTIONS[name];
    if (option === undefined) throw new Error(`unknown option: ${name}`);
    if (option === "toolChoice") return [option, { definition: value }];
    return [option, option.endsWith("Ms") ? Number(value) * 1000 : value];
  });
  return { ...Object.fromEntries(entries), timeoutMs: timeout_ms };
}

/** One item for each action, in order. */
export function answersOf({ answers = [] }: Step, actions: readonly UpstreamItemPart[]): Part[] {
  if (answers.length !== actions.length) throw new Error(`${actions.length} actions, ${answers.length} answers`);
  return actions.map((action, index) => {
    const given = answers[index]!;
    if (given === "approve" || given === "deny") return approval(action, given === "approve");
    const { call_id: callId } = JSON.parse(action.json) as { call_id: string };
    return upstreamItem(given.replaceAll("CALL", callId));
  });
}
