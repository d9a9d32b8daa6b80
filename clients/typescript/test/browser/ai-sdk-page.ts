/** What the test of the AI SDK runs in the browser: a tool loop and a follow-up, and an answer that is left. */
import { isStepCount, jsonSchema, streamText, tool } from "ai";
import { createTrunkline } from "trunkline/ai-sdk";
import { connect } from "trunkline/web";

const trunkline = createTrunkline(connect(new URLSearchParams(location.search).get("address")!));
const tideAt = tool({
  description: "The height of the tide.",
  inputSchema: jsonSchema<{ hour: number }>({ type: "object", properties: { hour: { type: "integer" } }, required: ["hour"] }),
  execute: ({ hour }) => `${hour}.5 m`,
});

export async function converse(questions: string[]) {
  const messages: NonNullable<Parameters<typeof streamText>[0]["messages"]> = [];
  const turns = [];
  for (const content of questions) {
    messages.push({ role: "user", content });
    const model = trunkline("gpt-5.6");
    const run = streamText({ model, messages, tools: { tide_at: tideAt }, stopWhen: isStepCount(5) });
    const deltas: string[] = [];
    for await (const delta of run.textStream) deltas.push(delta);
    messages.push(...(await run.responseMessages));
    const reports = (await run.steps).map(({ providerMetadata }) => providerMetadata?.["trunkline"]?.["report"]);
    turns.push({ deltas, contexts: reports.map((report) => (report as { context: string }).context) });
  }
  return turns;
}

export async function leave(question: string): Promise<string[]> {
  const stop = new AbortController();
  const run = streamText({ model: trunkline("gpt-5.6"), prompt: question, abortSignal: stop.signal });
  const deltas: string[] = [];
  for await (const part of run.stream) {
    if (part.type === "text-delta" && deltas.push(part.text) === 3) stop.abort();
    if (part.type === "abort") deltas.push("aborted");
  }
  return deltas;
}
