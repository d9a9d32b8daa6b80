// Hold a conversation by the AI SDK over Trunkline: `ai_sdk.mjs ADDRESS HOW MESSAGE …`.
//
// HOW: `stream`, `generate`, `structured`; `cancel` leaves what is slow after some words; `ui` keeps the conversation as a
// page does, in UI messages; `again` names another session for each message. Requests for approval are granted. Prints a
// line of JSON for each message: what the framework made of the answer, or of the error.

import { APICallError, RetryError, convertToModelMessages, readUIMessageStream } from "ai";
import { generateText, isStepCount, Output, streamText, tool } from "ai";
import { connect } from "trunkline";
import { createTrunkline } from "trunkline/ai-sdk";
import { z } from "zod";

globalThis.AI_SDK_LOG_WARNINGS = false;

const [address, how, ...asked] = process.argv.slice(2);
const client = connect(address);
const trunkline = createTrunkline(client, { reasoningSummary: "auto" });
const tools = {
  tide_at: tool({
    description: "Return the height of the tide.",
    inputSchema: z.object({ hour: z.number().int() }),
    execute: ({ hour }) => `${hour}.5 m`,
  }),
  search: trunkline.tool({ type: "web_search" }),
  sql: trunkline.tool({ type: "custom", name: "sql" }, () => "2.4"),
  shell: trunkline.tool({ type: "shell" }, ({ action }) => ({
    output: action.commands.map(() => ({ stdout: "high.txt", stderr: "", outcome: { type: "exit", exit_code: 0 } })),
  })),
};
const output = Output.object({ schema: z.object({ town: z.string(), hours: z.array(z.number()) }) });
const messages = [];
const shown = [];

function settings() {
  return {
    model: trunkline("gpt-5.6", how === "again" ? { sessionId: `again.${Math.random()}` } : {}),
    instructions: "Be brief.",
    messages,
    tools,
    stopWhen: isStepCount(5),
    maxRetries: 1,
    ...(how === "structured" ? { output } : {}),
  };
}

async function resultOf(run) {
  const steps = await run.steps;
  return {
    text: await run.text,
    results: steps.flatMap((step) => step.toolResults).map(({ toolName, output }) => [toolName, output]),
    sources: (await run.sources).map(({ url }) => url),
    reasoning: steps.map((step) => step.reasoningText ?? ""),
    usage: await run.usage,
    reports: steps.map((step) => step.providerMetadata.trunkline.report.context),
    object: how === "structured" ? await run.output : undefined,
  };
}

async function stream(content) {
  const stop = new AbortController();
  const run = streamText({ ...settings(), abortSignal: stop.signal, onError: () => {} });
  const deltas = [];
  const kinds = new Set();
  for await (const part of run.stream) {
    kinds.add(part.type);
    if (part.type === "error") return { deltas, ...errorOf(part.error) };
    if (part.type === "text-delta") deltas.push(part.text);
    if (how === "cancel" && content.includes("sim:slow") && deltas.length === 3) stop.abort();
  }
  if (stop.signal.aborted) return { deltas, kinds: [...kinds] };
  messages.push(...(await run.responseMessages));
  return { deltas, kinds: [...kinds], ...(await resultOf(run)) };
}

async function generate() {
  const run = await generateText(settings());
  messages.push(...run.responseMessages);
  const requests = run.content.filter(({ type }) => type === "tool-approval-request");
  if (requests.length === 0) return resultOf(run);
  const granted = ({ approvalId }) => ({ type: "tool-approval-response", approvalId, approved: true, providerExecuted: true });
  messages.push({ role: "tool", content: requests.map(granted) });
  return generate();
}

/** As `useChat` does: messages are stored as what a page shows, through JSON. */
async function page(text) {
  shown.push({ id: String(shown.length), role: "user", parts: [{ type: "text", text }] });
  messages.splice(0, messages.length, ...(await convertToModelMessages(shown, { tools })));
  const run = streamText(settings());
  let last;
  for await (const message of readUIMessageStream({ stream: run.toUIMessageStream({ sendReasoning: true }) })) last = message;
  shown.push(JSON.parse(JSON.stringify(last)));
  return resultOf(run);
}

function errorOf(thrown) {
  const error = RetryError.isInstance(thrown) ? thrown.lastError : thrown;
  if (!APICallError.isInstance(error)) throw error;
  const tries = RetryError.isInstance(thrown) ? thrown.errors.length : 1;
  return { error: error.message, status: error.statusCode, retryable: error.isRetryable, tries };
}

for (const content of asked) {
  const before = messages.length;
  messages.push({ role: "user", content });
  let made;
  try {
    made = await (how === "generate" ? generate() : how === "ui" ? page(content) : stream(content));
  } catch (error) {
    made = errorOf(error);
  }
  if (made.text === undefined) messages.splice(before);
  console.log(JSON.stringify(made));
}
await client.close();
