import assert from "node:assert/strict";
import { test } from "node:test";
import type { AssistantMessage, Context, Message as PiMessage, Model, ToolResultMessage } from "@mariozechner/pi-ai";
import { getModel, Type } from "@mariozechner/pi-ai";
import { toJson } from "@bufbuild/protobuf";
import { createStreamFn } from "../src/pi/index.js";
import { payloadOf } from "../src/pi/payload.js";
import { requestOf } from "../src/pi/request.js";
import { MessageSchema } from "../src/gen/trunkline/v1/message_pb.js";
import { done, Fake, says, start } from "./fake.js";

const MODEL: Model<any> = getModel("openai", "gpt-5.4");
const HELLO: PiMessage = { role: "user", content: "Hello", timestamp: 0 };
const IMAGE = { type: "image" as const, data: "AQI=", mimeType: "image/png" };

function said(content: AssistantMessage["content"], stopReason: AssistantMessage["stopReason"] = "stop"): AssistantMessage {
  const cost = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, total: 0 };
  const usage = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, totalTokens: 0, cost };
  const by = { api: "other", provider: "other", model: "other" };
  return { role: "assistant", content, ...by, usage, stopReason, timestamp: 0 };
}

function result(toolCallId: string, ...content: ToolResultMessage["content"]): PiMessage {
  return { role: "toolResult", toolCallId, toolName: "f", content, isError: false, timestamp: 0 };
}

/** The messages that a context becomes. */
function sent(messages: PiMessage[], model = MODEL): any[] {
  const body = payloadOf(model, { messages }, {}, []);
  return requestOf(body).messages.map((message) => toJson(MessageSchema, message));
}

test("an answer that failed or was aborted is left out", () => {
  const failed = said([{ type: "text", text: "Half" }], "error");
  const aborted = said([{ type: "toolCall", id: "c1", name: "f", arguments: {} }], "aborted");
  assert.equal(sent([HELLO, failed, HELLO, aborted, HELLO]).length, 3);
});

test("a call that nothing answers gets a result, before whoever speaks next", () => {
  const calls = ["c1|fc_1", "c2"].map((id) => ({ type: "toolCall" as const, id, name: "f", arguments: { a: 1 } }));
  const messages = sent([HELLO, said(calls), result("c2", { type: "text", text: "2" }), HELLO]);
  const results = messages.flatMap(({ parts }) => parts.flatMap(({ toolResult }: any) => toolResult ?? []));
  assert.deepEqual(
    results.map(({ callId, parts }) => [callId, parts[0].text.text]),
    [["c2", "2"], ["c1", "No result provided"]],
  );
  assert.equal(messages.at(-1).role, "ROLE_USER");
  const call = { toolCall: { callId: "c1", name: "f", arguments: '{"a":1}', kind: "TOOL_CALL_KIND_FUNCTION" }, itemId: "fc_1" };
  assert.deepEqual(messages[1].parts[0], call);
});

test("a thought of another API goes along as text, and one that is sealed does not", () => {
  const [message] = sent([
    said([
      { type: "thinking", thinking: "Hm.", thinkingSignature: "opaque" },
      { type: "thinking", thinking: "Secret.", thinkingSignature: "opaque", redacted: true },
      { type: "thinking", thinking: " " },
      { type: "text", text: "A", textSignature: "msg_of_old" },
    ]),
  ]);
  assert.deepEqual(message.parts.map(({ text }: any) => text.text), ["Hm.", "A"]);
});

test("images of the user and of tools, and a model that sees none", () => {
  const messages = [
    { ...HELLO, content: [{ type: "text", text: "Look:" }, IMAGE] } as PiMessage,
    said([{ type: "toolCall", id: "c1", name: "f", arguments: {} }]),
    result("c1", { type: "text", text: "Seen" }, IMAGE),
  ];
  const image = { image: { url: "data:image/png;base64,AQI=", detail: "auto" } };
  const [asked, , answered] = sent(messages);
  assert.deepEqual(asked.parts, [{ text: { text: "Look:" } }, image]);
  assert.deepEqual(answered.parts[0].toolResult.parts, [{ text: { text: "Seen" } }, image]);
  const blind = sent(messages, { ...MODEL, input: ["text"] });
  assert.match(blind[0].parts[1].text.text, /cannot see/);
  assert.match(blind[2].parts[0].toolResult.parts[1].text.text, /cannot see/);
});

test("what an agent asks for, as a hook sees it", () => {
  const tool = { name: "f", description: "F.", parameters: Type.Object({ a: Type.Number() }) };
  const context: Context = { systemPrompt: "Be brief.", messages: [HELLO], tools: [tool] };
  const options = { temperature: 0, maxTokens: 9, reasoning: "low" as const, topP: 0.5, toolChoice: "required", serviceTier: "flex" };
  const body = payloadOf(MODEL, context, { ...options, cacheRetention: "long" }, [{ type: "web_search" }]);
  assert.deepEqual(JSON.parse(JSON.stringify(body)), {
    model: "gpt-5.4",
    store: false,
    input: [{ role: "user", content: [{ type: "input_text", text: "Hello" }] }],
    instructions: "Be brief.",
    tools: [
      { type: "function", name: "f", description: "F.", parameters: JSON.parse(JSON.stringify(tool.parameters)), strict: false },
      { type: "web_search" },
    ],
    max_output_tokens: 9,
    temperature: 0,
    top_p: 0.5,
    tool_choice: "required",
    service_tier: "flex",
    reasoning: { effort: "low", summary: "auto" },
    prompt_cache_retention: "24h",
  });
});

test("reasoning, by the model's own levels", () => {
  const reasoning = (model: Partial<Model<any>>, options: object) =>
    payloadOf({ ...MODEL, ...model }, { messages: [HELLO] }, options, [])["reasoning"];
  assert.deepEqual(reasoning({ thinkingLevelMap: {} }, {}), { effort: "none" });
  assert.equal(reasoning({ thinkingLevelMap: { off: null } }, {}), undefined);
  assert.equal(reasoning({ reasoning: false }, { reasoning: "low" }), undefined);
  assert.deepEqual(reasoning({ thinkingLevelMap: { high: "max" } }, { reasoning: "high" }), { effort: "max", summary: "auto" });
  assert.deepEqual(reasoning({}, { reasoningEffort: "high", reasoningSummary: "detailed" }), { effort: "high", summary: "detailed" });
  assert.deepEqual(reasoning({}, { reasoningSummary: "concise" }), { effort: "medium", summary: "concise" });
});

test("what a hook puts into the body is sent, by its name or as an extra key", async (t) => {
  const fake = await Fake.start(t, says(start, done()));
  const changes = {
    store: true,
    text: { format: { type: "json_schema", name: "town", schema: { type: "object" }, strict: true }, verbosity: "low", tone: "dry" },
    reasoning: { effort: "low", context: "all_turns" },
    tools: [{ type: "web_search" }, { type: "function", name: "g", defer_loading: true }],
    tool_choice: { type: "function", name: "g" },
    metadata: { a: "b" },
    include: ["web_search_call.action.sources"],
    context_management: [{ type: "compaction" }],
    ...{ truncation: "auto", safety_identifier: "u", prompt_cache_key: "k", parallel_tool_calls: false },
  };
  const onPayload = (payload: any) => ({ ...payload, ...changes, input: [{ role: "developer", content: "Rules." }, ...payload.input] });
  const message = await createStreamFn(fake.client)(MODEL, { messages: [HELLO] }, { onPayload }).result();
  assert.equal(message.errorMessage, undefined);
  const { options, messages, tools } = fake.requests[0]!;
  assert.deepEqual(messages.map((one) => (toJson(MessageSchema, one) as any).role), ["ROLE_DEVELOPER", "ROLE_USER"]);
  assert.deepEqual(tools.map(({ definitionJson }) => JSON.parse(definitionJson).type), ["web_search", "function"]);
  const found = {
    format: options!.text!.format.value,
    verbosity: options!.text!.verbosity,
    effort: options!.reasoning!.effort,
    choice: options!.toolChoice!.choice.value,
    rest: [options!.store, options!.truncation, options!.safetyIdentifier, options!.promptCacheKey, options!.parallelToolCalls],
    extra: JSON.parse(options!.extraBodyJson),
  };
  assert.equal((found.format as { name: string }).name, "town");
  const extra = { context_management: [{ type: "compaction" }], reasoning: { context: "all_turns" }, text: { tone: "dry" } };
  assert.deepEqual(
    [found.verbosity, found.effort, found.choice, found.rest, found.extra],
    ["low", "low", "g", [true, "auto", "u", "k", false], extra],
  );
  assert.deepEqual([options!.metadata, options!.include], [{ a: "b" }, ["web_search_call.action.sources"]]);
});
