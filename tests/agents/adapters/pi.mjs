// Hold a conversation with an agent of pi over Trunkline: `pi.mjs ADDRESS HOW MESSAGE …`.
//
// HOW: `stream`; `structured`, for which a hook asks; `cancel` aborts what is slow after some words; `again` names another
// session for each message; `warm` warms the first turn up; `sse` asks for that transport. Prints a line of JSON for each
// message: the events, and what came of it.

import { Agent } from "@mariozechner/pi-agent-core";
import { getModel, Type } from "@mariozechner/pi-ai";
import { connect } from "trunkline";
import { createStreamFn } from "trunkline/pi";

const [address, how, ...asked] = process.argv.slice(2);
const client = connect(address);
const properties = { town: { type: "string" }, hours: { type: "array", items: { type: "number" } } };
const schema = { type: "object", properties, required: ["town", "hours"], additionalProperties: false };
const format = { type: "json_schema", name: "tides", schema, strict: true };
let running = 0;
let most = 0;
const tideAt = {
  name: "tide_at",
  label: "Tide",
  description: "Return the height of the tide.",
  parameters: Type.Object({ hour: Type.Integer() }),
  execute: async (_id, { hour }) => {
    most = Math.max(most, (running += 1));
    await new Promise((resolve) => setTimeout(resolve, 50));
    running -= 1;
    return { content: [{ type: "text", text: `${hour}.5 m` }], details: {} };
  },
};
const agent = new Agent({
  initialState: { systemPrompt: "Be brief.", model: getModel("openai", "gpt-5.4"), thinkingLevel: "low", tools: [tideAt] },
  streamFn: createStreamFn(client, { warmUp: how === "warm", onDone: ({ report }) => seen.reasons.push(report.contextReason) }),
  transport: how === "sse" ? "sse" : "auto",
  onPayload: (payload) => (how === "structured" ? { ...payload, text: { format } } : undefined),
});
let seen;
agent.subscribe(({ type, assistantMessageEvent: event, message }) => {
  const kind = type === "message_update" ? event.type : type;
  if (seen.kinds.at(-1) !== kind) seen.kinds.push(kind);
  if (type !== "message_update" || event.type !== "text_delta") return;
  seen.deltas.push(event.delta);
  seen.partial = message.content[event.contentIndex].text;
  if (how === "cancel" && seen.slow && seen.deltas.length === 3) agent.abort();
});
for (const text of asked) {
  seen = { kinds: [], deltas: [], reasons: [], slow: text.includes("sim:slow") };
  const before = agent.state.messages.length;
  if (how === "again") agent.sessionId = `again.${Math.random()}`;
  await agent.prompt(text);
  const said = agent.state.messages.slice(before);
  const results = said.filter(({ role }) => role === "toolResult").map(({ content }) => content[0].text);
  const { content, usage, stopReason, errorMessage } = said.at(-1);
  const words = content.map((block) => (block.type === "text" ? block.text : "")).join("");
  console.log(JSON.stringify({ ...seen, text: words, blocks: content, usage, stopReason, errorMessage, results, most }));
}
await client.close();
