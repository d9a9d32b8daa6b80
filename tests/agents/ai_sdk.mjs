// Hold a conversation with the AI SDK: `ai_sdk.mjs URL http HISTORY MESSAGE …`.
// Takes and prints the same as openai_agents.py. HISTORY may also be `references`, the SDK's default: the
// upstream stores its items, and later requests name them by their ids.

import { createOpenAI } from "@ai-sdk/openai";
import { isStepCount, streamText, tool } from "ai";
import { z } from "zod";

globalThis.AI_SDK_LOG_WARNINGS = false; // with `items` it warns that it leaves out results of hosted tools

const [url, , history, ...messages] = process.argv.slice(2);
const openai = createOpenAI({ apiKey: "k", baseURL: url });
const tools = {
  tide_at: tool({
    description: "Return the height of the tide.",
    inputSchema: z.object({ hour: z.number().int() }),
    execute: ({ hour }) => `${hour}.5 m`,
  }),
  sql: openai.tools.customTool({ description: "Run a query.", execute: () => "2.4" }),
  local_shell: openai.tools.localShell({ execute: () => ({ output: "high.txt" }) }),
  shell: openai.tools.shell({
    execute: ({ action }) => ({
      output: action.commands.map(() => ({
        stdout: "high.txt",
        stderr: "",
        outcome: { type: "exit", exitCode: 0 },
      })),
    }),
  }),
  web_search: openai.tools.webSearch({}),
  mcp: openai.tools.mcp({
    serverLabel: "harbour",
    serverUrl: "https://harbour.example",
    requireApproval: "never",
  }),
};
let items = [];
let previousResponseId;
for (const message of messages) {
  const said = { role: "user", content: message };
  const run = streamText({
    model: openai.responses("gpt-5.6"),
    instructions: "Be brief.",
    messages: [...items, said],
    tools,
    stopWhen: isStepCount(5),
    maxRetries: 0,
    providerOptions: {
      openai: { previousResponseId, store: history !== "items", include: ["reasoning.encrypted_content"] },
    },
    onError: () => {}, // the stream has it, too
  });
  const deltas = [];
  for await (const part of run.stream) {
    if (part.type === "error") throw part.error;
    if (part.type === "text-delta") deltas.push(part.text);
  }
  const results = (await run.steps)
    .flatMap((step) => step.toolResults)
    .filter((result) => result.toolName === "tide_at")
    .map((result) => result.output);
  if (history === "chain") previousResponseId = (await run.finalStep).providerMetadata.openai.responseId;
  else items.push(said, ...(await run.responseMessages));
  console.log(JSON.stringify({ text: await run.text, deltas, results }));
}
