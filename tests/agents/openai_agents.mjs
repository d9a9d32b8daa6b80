// Hold a conversation with the OpenAI Agents SDK: `openai_agents.mjs URL TRANSPORT HISTORY MESSAGE …`.
// Takes and prints the same as openai_agents.py.

import { Agent, OpenAIProvider, Runner, hostedMcpTool, shellTool, tool, user, webSearchTool } from "@openai/agents";
import { WebSocket } from "ws";
import { z } from "zod";

globalThis.WebSocket ??= WebSocket; // the SDK needs a global one, and Node.js 20 has none

const [url, transport, history, ...messages] = process.argv.slice(2);
const chained = history === "chain";
let results = [];
const tideAt = tool({
  name: "tide_at",
  description: "Return the height of the tide.",
  parameters: z.object({ hour: z.number().int() }),
  execute: ({ hour }) => {
    results.push(`${hour}.5 m`);
    return `${hour}.5 m`;
  },
});
const harbour = new Agent({
  name: "Harbour",
  instructions: "Be brief.",
  model: "gpt-5.6",
  modelSettings: {
    parallelToolCalls: true,
    store: chained,
    providerData: { include: ["reasoning.encrypted_content"] },
  },
  tools: [
    tideAt,
    shellTool({
      shell: {
        run: async ({ commands }) => ({
          output: commands.map(() => ({
            stdout: "high.txt",
            stderr: "",
            outcome: { type: "exit", exitCode: 0 },
          })),
        }),
      },
    }),
    webSearchTool(),
    hostedMcpTool({ serverLabel: "harbour", serverUrl: "https://harbour.example" }),
  ],
});
const modelProvider = new OpenAIProvider({
  apiKey: "k",
  baseURL: url,
  useResponsesWebSocket: transport === "websocket",
});
const runner = new Runner({ modelProvider, tracingDisabled: true });
let items = [];
let previousResponseId;
for (const message of messages) {
  results = [];
  const run = await runner.run(harbour, [...items, user(message)], { stream: true, previousResponseId });
  const deltas = [];
  for await (const delta of run.toTextStream()) deltas.push(delta);
  await run.completed;
  if (chained) previousResponseId = run.lastResponseId;
  else items = run.history;
  console.log(JSON.stringify({ text: run.finalOutput, deltas, results }));
}
await modelProvider.close();
