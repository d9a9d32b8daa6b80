import assert from "node:assert/strict";
import { test } from "node:test";
import type * as ai from "@ai-sdk/provider";
import { APICallError } from "@ai-sdk/provider";
import type { ToolSet } from "ai";
import { Code, ConnectError } from "@connectrpc/connect";
import { createTrunkline } from "../src/ai-sdk/index.js";
import { StopReason } from "../src/gen/trunkline/v1/completion_pb.js";
import { Role } from "../src/gen/trunkline/v1/message_pb.js";
import type { Answer } from "./fake.js";
import { answer, asks, done, fails, Fake, hangs, ours, says, start, textDelta, until } from "./fake.js";

type Part = ai.LanguageModelV4StreamPart;

const PROMPT: ai.LanguageModelV4Prompt = [{ role: "user", content: [{ type: "text", text: "Hello" }] }];

async function read({ stream }: ai.LanguageModelV4StreamResult): Promise<Part[]> {
  const parts: Part[] = [];
  for await (const part of stream as unknown as AsyncIterable<Part>) parts.push(part);
  return parts;
}

async function thrown(promise: PromiseLike<unknown>): Promise<APICallError> {
  try {
    await promise;
  } catch (error) {
    assert.ok(APICallError.isInstance(error), String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "nothing was thrown" });
}

test("tools by definition are tools of the framework", async (t) => {
  const { client } = await Fake.start(t, says(start, done()));
  const { tool } = createTrunkline(client);
  const tools = { search: tool({ type: "web_search" }), sql: tool({ type: "custom", name: "sql" }, (query) => query) };
  const { search, sql } = tools satisfies ToolSet;
  assert.deepEqual([search.isProviderExecuted, search.id, search.args], [true, "trunkline.web_search", { type: "web_search" }]);
  assert.deepEqual([sql.isProviderExecuted, sql.execute?.("select", {} as never)], [false, "select"]);
});

test("the parts of a stream, in order", async (t) => {
  const end = done();
  end.value.usage = { inputTokens: 10n, cachedInputTokens: 6n, cacheWriteTokens: 1n, outputTokens: 5n, reasoningTokens: 2n } as never;
  const fake = await Fake.start(t, says(start, textDelta("Hel"), textDelta("lo."), end));
  const parts = await read(await createTrunkline(fake.client)("m").doStream({ prompt: PROMPT, includeRawChunks: true }));
  const raw = parts.flatMap((part) => (part.type === "raw" ? [(part.rawValue as { kind: string }).kind] : []));
  assert.deepEqual(raw, ["start", "text_delta", "text_delta", "done"]);
  const rest = parts.filter(({ type }) => type !== "raw");
  assert.deepEqual(
    rest.map(({ type }) => type),
    ["stream-start", "response-metadata", "text-start", "text-delta", "text-delta", "text-end", "response-metadata", "finish"],
  );
  const finish = rest.at(-1)!;
  assert.ok(finish.type === "finish");
  assert.deepEqual(finish.finishReason, { unified: "stop", raw: "stop" });
  assert.deepEqual(finish.usage, {
    inputTokens: { total: 10, noCache: 3, cacheRead: 6, cacheWrite: 1 },
    outputTokens: { total: 5, text: 3, reasoning: 2 },
    raw: {},
  });
  const { sessionId, report } = finish.providerMetadata!["trunkline"] as { sessionId: string; report: { context: string } };
  assert.deepEqual([sessionId, report.context], [fake.requests[0]!.sessionId, "full"]);
});

test("a call of a custom tool streams as text, and one that the upstream runs is announced", async (t) => {
  const call = { callId: "c1", name: "sql", arguments: "select", kind: 2 };
  const message = {
    role: Role.ASSISTANT,
    parts: [
      { part: { case: "upstreamItem" as const, value: { type: "web_search_call", json: '{"type":"web_search_call"}' } } },
      { part: { case: "toolCall" as const, value: call } },
    ],
  };
  const progress = { itemType: "web_search_call", eventType: "response.web_search_call.searching", json: "{}" };
  const fake = await Fake.start(
    t,
    says(
      start,
      { case: "itemProgress", value: progress },
      { case: "itemProgress", value: progress },
      { case: "toolCallDelta", value: { contentIndex: 1, callId: "c1", name: "sql" } },
      { case: "toolCallDelta", value: { contentIndex: 1, callId: "c1", name: "sql", argumentsDelta: "select" } },
      done(message, StopReason.TOOL_USE),
    ),
  );
  const tools = [
    { type: "provider" as const, id: "trunkline.custom" as const, name: "query", args: { type: "custom", name: "sql" } },
    { type: "provider" as const, id: "trunkline.web_search" as const, name: "search", args: { type: "web_search" } },
  ];
  const parts = await read(await createTrunkline(fake.client)("m").doStream({ prompt: PROMPT, tools }));
  const shown = parts.flatMap((part) => {
    if (part.type === "tool-input-start") return [[part.type, part.toolName, part.inputEncoding ?? part.providerExecuted]];
    if (part.type === "tool-input-delta") return [[part.type, part.delta]];
    return part.type === "tool-call" ? [[part.type, part.toolName, part.input]] : part.type === "tool-result" ? [[part.type]] : [];
  });
  assert.deepEqual(shown, [
    ["tool-input-start", "search", true],
    ["tool-input-start", "query", "text"],
    ["tool-input-delta", "select"],
    ["tool-call", "search", "{}"],
    ["tool-result"],
    ["tool-call", "query", '"select"'],
  ]);
  const ids = parts.flatMap((part) => (part.type === "tool-input-start" ? [part.id] : part.type === "tool-call" ? [part.toolCallId] : []));
  assert.deepEqual(ids.slice(0, 2), ids.slice(2), "what is announced is what is called");
});

/** What is tried again must not cost twice. */
const FAILURES: [name: string, answer: Answer, statusCode: number, isRetryable: boolean][] = [
  ["nothing was sent", fails(ours(Code.Unavailable, "SHUTTING_DOWN", { sent: "false" })), 503, true],
  ["no place", fails(ours(Code.ResourceExhausted, "OVERLOADED", { sent: "false" }, 20)), 429, true],
  ["a rate limit", fails(ours(Code.ResourceExhausted, "RATE_LIMITED", { sent: "true" }, 20)), 429, true],
  ["a line that broke", fails(ours(Code.Aborted, "CONNECTION_LOST", { sent: "true" }, 20)), 409, false],
  ["a bad request", fails(ours(Code.InvalidArgument, "INVALID_REQUEST", { sent: "false" })), 400, false],
  ["nobody knows", fails(new ConnectError("reset", Code.Unavailable)), 503, false],
];
for (const [name, failing, statusCode, isRetryable] of FAILURES) {
  test(`a failure before content is thrown: ${name}`, async (t) => {
    const fake = await Fake.start(t, failing, { retry: { attempts: 1 } });
    const model = createTrunkline(fake.client)("m");
    for (const call of [() => model.doGenerate({ prompt: PROMPT }), () => model.doStream({ prompt: PROMPT })]) {
      const error = await thrown(call());
      assert.deepEqual([error.statusCode, error.isRetryable], [statusCode, isRetryable]);
      assert.deepEqual(error.requestBodyValues, { model: "m", sessionId: fake.requests[0]!.sessionId });
    }
  });
}

test("how long to wait goes along", async (t) => {
  const fake = await Fake.start(t, fails(ours(Code.ResourceExhausted, "RATE_LIMITED", { sent: "true" }, 20)));
  const error = await thrown(createTrunkline(fake.client)("m").doGenerate({ prompt: PROMPT }));
  assert.deepEqual(error.responseHeaders, { "retry-after-ms": "20" });
});

test("a failure after content is the last part but one, and no reason to try again", async (t) => {
  const limit = ours(Code.ResourceExhausted, "RATE_LIMITED", { sent: "true" }, 20);
  const fake = await Fake.start(t, fails(limit, start, textDelta("Half")));
  const parts = await read(await createTrunkline(fake.client)("m").doStream({ prompt: PROMPT }));
  assert.deepEqual(
    parts.map(({ type }) => type),
    ["stream-start", "response-metadata", "text-start", "text-delta", "error", "finish"],
  );
  const [error, finish] = parts.slice(-2);
  assert.ok(error?.type === "error" && APICallError.isInstance(error.error) && !error.error.isRetryable);
  assert.ok(finish?.type === "finish" && finish.finishReason.unified === "error");
});

test("a signal stops the call with its own reason, before and after content", async (t) => {
  const fake = await Fake.start(t, [hangs(start), hangs(start, textDelta("Half"))]);
  const model = createTrunkline(fake.client)("m");
  const early = new AbortController();
  const call = model.doStream({ prompt: PROMPT, abortSignal: early.signal });
  await until(() => fake.requests.length === 1);
  early.abort("enough");
  await assert.rejects(async () => call, (reason) => reason === "enough");
  const late = new AbortController();
  const reader = (await model.doStream({ prompt: PROMPT, abortSignal: late.signal })).stream.getReader();
  while ((await reader.read()).value?.type !== "text-delta");
  late.abort();
  await assert.rejects(reader.read(), { name: "AbortError" });
  await until(() => fake.left === 2);
});

test("whoever cancels the stream stops the turn", async (t) => {
  const fake = await Fake.start(t, hangs(start, textDelta("Half")));
  const { stream } = await createTrunkline(fake.client)("m").doStream({ prompt: PROMPT });
  const reader = stream.getReader();
  while ((await reader.read()).value?.type !== "text-delta");
  void reader.read(); // one that waits
  await reader.cancel();
  await until(() => fake.left === 1);
});

test("calls of one history have one session, and a named session is the caller's", async (t) => {
  const fake = await Fake.start(t, [says(start, asks({ callId: "c1", name: "f", arguments: "{}" })), says(start, done())]);
  const trunkline = createTrunkline(fake.client, { store: true });
  const call = { type: "tool-call" as const, toolCallId: "c1", toolName: "f", input: {} };
  const result = { type: "tool-result" as const, toolCallId: "c1", toolName: "f", output: { type: "text" as const, value: "1" } };
  const next: ai.LanguageModelV4Prompt = [...PROMPT, { role: "assistant", content: [call] }, { role: "tool", content: [result] }];
  await read(await trunkline("m").doStream({ prompt: PROMPT }));
  await trunkline.languageModel("m").doGenerate({ prompt: next });
  await trunkline("m", { sessionId: "mine" }).doGenerate({ prompt: next });
  const providerOptions = { trunkline: { sessionId: "other", continuation: "token" } };
  await trunkline("m").doGenerate({ prompt: next, providerOptions });
  const [first, ...others] = fake.requests;
  assert.deepEqual(others.map(({ sessionId }) => sessionId), [first!.sessionId, "mine", "other"]);
  assert.equal(others[2]!.continuation, "token");
  assert.ok(fake.requests.every(({ options }) => options?.store));
});

test("a misspelt option is an error, and there are only language models", async (t) => {
  const fake = await Fake.start(t, says(start, done(answer("Hello."))));
  const trunkline = createTrunkline(fake.client);
  await assert.rejects(async () => trunkline("m", { transport: "telepathy" as never }).doGenerate({ prompt: PROMPT }), TypeError);
  assert.throws(() => trunkline.embeddingModel("e"), /e/);
  assert.throws(() => trunkline.imageModel("i"), /i/);
  assert.equal(fake.requests.length, 0);
});
