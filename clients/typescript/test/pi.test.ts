import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import type { AssistantMessage, AssistantMessageEvent, Context, Message as PiMessage, Model } from "@mariozechner/pi-ai";
import { cleanupSessionResources, getModel } from "@mariozechner/pi-ai";
import { create, toJson } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import type { Done } from "../src/node.js";
import { createStreamFn } from "../src/pi/index.js";
import type { StreamOptions } from "../src/pi/payload.js";
import { StopReason, Transport } from "../src/gen/trunkline/v1/completion_pb.js";
import type { Message } from "../src/gen/trunkline/v1/message_pb.js";
import { MessageSchema, Role } from "../src/gen/trunkline/v1/message_pb.js";
import type { Answer } from "./fake.js";
import { answer, done, fails, Fake, hangs, ours, says, start, textDelta, until } from "./fake.js";
import { WHOLE } from "./whole.js";

const MODEL: Model<any> = getModel("openai", "gpt-5.4");
const HELLO: PiMessage = { role: "user", content: "Hello", timestamp: 0 };

async function open(t: TestContext, answers: Answer | Answer[], settings = {}) {
  const fake = await Fake.start(t, answers);
  const streamFn = createStreamFn(fake.client, settings);
  const ask = (context: Context, options?: StreamOptions, model = MODEL) => streamFn(model, context, options);
  const say = async (messages: PiMessage[], options?: StreamOptions, model = MODEL) => {
    const answered = await ask({ messages }, options, model).result();
    return answered;
  };
  return { fake, ask, say };
}

async function eventsOf(stream: AsyncIterable<AssistantMessageEvent>): Promise<AssistantMessageEvent[]> {
  const events: AssistantMessageEvent[] = [];
  for await (const event of stream) events.push(structuredClone(event));
  return events;
}

function partsOf(message: Message | undefined): any[] {
  return (toJson(MessageSchema, message!) as { parts?: any[] }).parts ?? [];
}

test("an answer goes back as it came, whatever it holds", async (t) => {
  const { fake, say } = await open(t, says(start, done(WHOLE, StopReason.TOOL_USE)));
  const answered = JSON.parse(JSON.stringify(await say([HELLO]))) as AssistantMessage; // as an agent stores it
  assert.equal(answered.stopReason, "toolUse");
  await say([HELLO, answered, HELLO]);
  assert.deepEqual(partsOf(fake.requests[1]!.messages[1]), partsOf(WHOLE));
  assert.equal(fake.requests[1]!.sessionId, fake.requests[0]!.sessionId);
});

test("the signatures are those of pi's own provider", async (t) => {
  const { say } = await open(t, says(start, done(WHOLE)));
  const { content } = await say([HELLO]);
  const [thought, search] = content;
  assert.ok(thought?.type === "thinking" && search?.type === "thinking");
  assert.equal(thought.thinking, "One.\n\nTwo.");
  const summary = ["One.", "Two."].map((text) => ({ type: "summary_text", text }));
  assert.deepEqual(JSON.parse(thought.thinkingSignature!), { type: "reasoning", id: "rs_1", summary, encrypted_content: "x" });
  assert.deepEqual([search.thinking, JSON.parse(search.thinkingSignature!).id], ["", "ws_1"]);
  const text = content.find(({ type }) => type === "text");
  assert.ok(text?.type === "text");
  assert.deepEqual(JSON.parse(text.textSignature!), { v: 1, id: "msg_0", phase: "commentary", k: 1 });
});

test("the events of a stream, each with the message so far", async (t) => {
  const call = { callId: "c1", name: "f", arguments: '{"n":1}' };
  const parts = [
    { part: { case: "reasoning" as const, value: { summary: ["Hm."] } } },
    { part: { case: "text" as const, value: { text: "Hello." } } },
    { part: { case: "toolCall" as const, value: call } },
  ];
  const progress = (argumentsDelta: string) => ({
    case: "toolCallDelta" as const,
    value: { contentIndex: 2, callId: "c1", name: "f", argumentsDelta },
  });
  const { ask } = await open(
    t,
    says(
      start,
      { case: "reasoningDelta", value: { contentIndex: 0, delta: "Hm." } },
      textDelta("Hel", 1),
      textDelta("lo.", 1),
      ...["", '{"n"', ":1}"].map(progress),
      done(create(MessageSchema, { role: Role.ASSISTANT, parts }), StopReason.TOOL_USE),
    ),
  );
  const events = await eventsOf(ask({ messages: [HELLO] }));
  const shown = events.map((event) => {
    if (event.type === "done") return ["done", event.reason];
    if (event.type === "start" || event.type === "error") return [event.type];
    if (event.type.endsWith("_start")) return [event.type, event.contentIndex]; // it is the message that grows on
    const block = event.partial.content[event.contentIndex]!;
    const soFar = block.type === "text" ? block.text : block.type === "thinking" ? block.thinking : block.arguments;
    return [event.type, event.contentIndex, soFar];
  });
  assert.deepEqual(shown, [
    ["start"],
    ["thinking_start", 0],
    ["thinking_delta", 0, "Hm."],
    ["thinking_end", 0, "Hm."],
    ["text_start", 1],
    ["text_delta", 1, "Hel"],
    ["text_delta", 1, "Hello."],
    ["text_end", 1, "Hello."],
    ["toolcall_start", 2],
    ["toolcall_delta", 2, {}],
    ["toolcall_delta", 2, { n: 1 }],
    ["toolcall_end", 2, { n: 1 }],
    ["done", "toolUse"],
  ]);
});

test("a call that a limit cut off is left out, and what never streamed is there at the end", async (t) => {
  const { ask } = await open(
    t,
    says(
      start,
      { case: "toolCallDelta", value: { contentIndex: 1, callId: "c1", name: "f", argumentsDelta: '{"n' } },
      done(answer("Hello."), StopReason.LENGTH),
    ),
  );
  const stream = ask({ messages: [HELLO] });
  const types = (await eventsOf(stream)).map(({ type }) => type);
  assert.deepEqual(types.slice(-2), ["toolcall_end", "done"]);
  const { content, stopReason } = await stream.result();
  assert.deepEqual([stopReason, content.map(({ type }) => type)], ["length", ["text"]]);
});

test("usage and what it costs", async (t) => {
  const end = done();
  const tokens = { inputTokens: 1000n, cachedInputTokens: 600n, cacheWriteTokens: 100n, outputTokens: 50n, totalTokens: 1050n };
  Object.assign(end.value, { usage: tokens, serviceTier: "flex" });
  const { say } = await open(t, says(start, end));
  const { usage, responseId, responseModel } = await say([HELLO]);
  const { input, output, cacheRead, cacheWrite, totalTokens, cost } = usage;
  assert.deepEqual([input, output, cacheRead, cacheWrite, totalTokens], [400, 50, 600, 0, 1050]);
  const { cost: price } = MODEL;
  const whole = (400 * price.input + 50 * price.output + 600 * price.cacheRead) / 1e6;
  assert.ok(Math.abs(cost.total - whole / 2) < 1e-12);
  assert.deepEqual([responseId, responseModel], ["resp_1", "m-1"]);
  const writes = { ...MODEL, cost: { ...price, cacheWrite: 1 } };
  assert.equal((await say([HELLO], {}, writes)).usage.cacheWrite, 100);
});

test("a failure is the last event, with what came before it", async (t) => {
  const broken = ours(Code.Aborted, "CONNECTION_LOST", { sent: "true" });
  const { ask } = await open(t, [fails(broken, start, textDelta("Half")), fails(broken)]);
  const first = await eventsOf(ask({ messages: [HELLO] }));
  assert.deepEqual(
    first.map(({ type }) => type),
    ["start", "text_start", "text_delta", "error"],
  );
  const last = first.at(-1)!;
  assert.ok(last.type === "error");
  assert.deepEqual([last.reason, last.error.errorMessage], ["error", "CONNECTION_LOST: what happened"]);
  assert.deepEqual(last.error.content, [{ type: "text", text: "Half" }]);
  assert.deepEqual((await eventsOf(ask({ messages: [HELLO] }))).map(({ type }) => type), ["error"]);
});

test("a hook that throws fails the turn, and nothing is sent", async (t) => {
  const { fake, say } = await open(t, says(start, done()));
  const failed = await say([HELLO], { onPayload: () => Promise.reject(new Error("no")) });
  assert.deepEqual([failed.stopReason, failed.errorMessage, fake.requests.length], ["error", "no", 0]);
});

test("a signal aborts the turn", async (t) => {
  const { fake, ask } = await open(t, hangs(start, textDelta("Half")));
  const stop = new AbortController();
  const stream = ask({ messages: [HELLO] }, { signal: stop.signal });
  for await (const event of stream) if (event.type === "text_delta") stop.abort();
  const { stopReason, errorMessage, content } = await stream.result();
  assert.deepEqual([stopReason, errorMessage, content.length], ["aborted", "Request was aborted", 1]);
  await until(() => fake.left === 1);
});

test("the session is the agent's, else the setting's, else found by the history", async (t) => {
  const { fake, say } = await open(t, says(start, done()), { sessionId: "usual" });
  await say([HELLO], { sessionId: "mine" });
  await say([HELLO]);
  assert.deepEqual(fake.requests.map(({ sessionId }) => sessionId), ["mine", "usual"]);
  cleanupSessionResources("mine");
  await until(() => fake.released.includes("mine"));
});

test("the end of a turn is shown to whoever asks, where it ends well", async (t) => {
  const contexts: string[] = [];
  const settings = { onDone: ({ report }: Done) => void contexts.push(report.contextReason) };
  const { say } = await open(t, [says(start, done()), fails(ours(Code.Aborted, "CONNECTION_LOST"))], settings);
  await say([HELLO]);
  await say([HELLO]);
  assert.deepEqual(contexts, ["first_turn"]);
});

test("transport, warm-up and the answer's arrival", async (t) => {
  const { fake, say } = await open(t, says(start, done()), { warmUp: true });
  const arrived: number[] = [];
  const onResponse = ({ status }: { status: number }) => void arrived.push(status);
  for (const transport of ["auto", "sse", "websocket", "websocket-cached"] as const) {
    await say([HELLO], { transport, onResponse, openaiWsWarmup: transport === "sse" ? false : undefined } as StreamOptions);
  }
  const { AUTO, SSE, WEBSOCKET } = Transport;
  const asked = fake.requests.map(({ options }) => [options!.transport, options!.warmUp]);
  assert.deepEqual(asked, [[AUTO, true], [SSE, false], [WEBSOCKET, true], [WEBSOCKET, true]]);
  assert.deepEqual(arrived, [200, 200, 200, 200]);
});
