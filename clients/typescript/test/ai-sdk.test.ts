import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { test } from "node:test";
import type * as ai from "@ai-sdk/provider";
import { InvalidPromptError } from "@ai-sdk/provider";
import { create, toJson } from "@bufbuild/protobuf";
import { createTrunkline } from "../src/ai-sdk/index.js";
import { StopReason } from "../src/gen/trunkline/v1/completion_pb.js";
import type { Message } from "../src/gen/trunkline/v1/message_pb.js";
import { MessageSchema, Role } from "../src/gen/trunkline/v1/message_pb.js";
import type { Answer, Response } from "./fake.js";
import { answer, done, Fake, says, start, textDelta } from "./fake.js";
import { item, WHOLE } from "./whole.js";

type Part = ai.LanguageModelV4StreamPart;
type Event = NonNullable<Response["event"]>;

const HELLO = { role: "user" as const, content: [{ type: "text" as const, text: "Hello" }] };

async function open(t: TestContext, answers: Answer | Answer[]) {
  const fake = await Fake.start(t, answers);
  const trunkline = createTrunkline(fake.client);
  return { fake, trunkline, model: trunkline("m") };
}

async function read({ stream }: ai.LanguageModelV4StreamResult): Promise<Part[]> {
  const parts: Part[] = [];
  for await (const part of stream as unknown as AsyncIterable<Part>) parts.push(part);
  return parts;
}

/** What the framework keeps of a generated content. */
function kept(content: ai.LanguageModelV4Content[]): ai.LanguageModelV4Message {
  const pieces = content.flatMap((piece): unknown[] => {
    const providerOptions = "providerMetadata" in piece ? piece.providerMetadata : undefined;
    if (piece.type === "source" || piece.type === "tool-approval-request") return [];
    if (piece.type === "tool-call") return [{ ...piece, input: parsed(piece.input), providerOptions }];
    if (piece.type === "tool-result") return [{ ...piece, output: { type: "json", value: piece.result }, providerOptions }];
    return [{ ...piece, providerOptions }];
  });
  return { role: "assistant", content: pieces as never };
}

function parsed(input: string): unknown {
  try {
    return JSON.parse(input);
  } catch {
    return {}; // as the framework keeps what is no JSON
  }
}

function json(message: Message | undefined): unknown {
  return toJson(MessageSchema, message!);
}

test("an answer goes back as it came, whatever it holds", async (t) => {
  const { fake, model } = await open(t, says(start, done(WHOLE, StopReason.TOOL_USE)));
  const { content } = await model.doGenerate({ prompt: [HELLO] });
  await model.doGenerate({ prompt: [HELLO, kept(content), HELLO] });
  assert.deepEqual(json(fake.requests[1]!.messages[1]), json(WHOLE));
  assert.equal(fake.requests[1]!.sessionId, fake.requests[0]!.sessionId);
});

test("what runs at the upstream stands in its place, though a stream has it last", async (t) => {
  const deltas = WHOLE.parts.flatMap(({ part }, contentIndex): Event[] => {
    if (part.case === "text") return [textDelta(part.value.text, contentIndex)];
    return part.case === "refusal" ? [{ case: "refusalDelta", value: { contentIndex, delta: part.value.text } }] : [];
  });
  const { fake, model } = await open(t, says(start, ...deltas, done(WHOLE, StopReason.TOOL_USE)));
  const parts = await read(await model.doStream({ prompt: [HELLO] }));
  const content: ai.LanguageModelV4Content[] = [];
  const texts = new Map<string, { type: "text" | "reasoning"; text: string; providerMetadata?: ai.SharedV4ProviderMetadata }>();
  for (const part of parts) {
    if (part.type === "text-start" || part.type === "reasoning-start") {
      texts.set(part.id, { type: part.type === "text-start" ? "text" : "reasoning", text: "" });
      content.push(texts.get(part.id)!);
    } else if (part.type === "text-delta" || part.type === "reasoning-delta") texts.get(part.id)!.text += part.delta;
    else if (part.type === "text-end" || part.type === "reasoning-end") {
      texts.get(part.id)!.providerMetadata = part.providerMetadata!;
    } else if (part.type === "tool-call" || part.type === "tool-result" || part.type === "custom") content.push(part);
  }
  assert.equal(content[0]!.type, "text", "what has deltas comes first");
  await model.doGenerate({ prompt: [HELLO, kept(content), HELLO] });
  assert.deepEqual(json(fake.requests[1]!.messages[1]), json(WHOLE));
});

test("a text that was edited goes back as it is now", async (t) => {
  const { fake, model } = await open(t, says(start, done()));
  const { content } = await model.doGenerate({ prompt: [HELLO] });
  const edited = kept(content);
  (edited.content[0] as { text: string }).text = "Other.";
  await model.doGenerate({ prompt: [HELLO, edited, HELLO] });
  assert.deepEqual(json(fake.requests[1]!.messages[1]), json(create(MessageSchema, answer("Other."))));
});

test("metadata that somebody changed is an error that names it", async (t) => {
  const { fake, model } = await open(t, says(start, done()));
  const providerOptions = { trunkline: { turn: "t", index: 0, part: { text: 7 } } };
  const prompt: ai.LanguageModelV4Prompt = [HELLO, { role: "assistant", content: [{ type: "text", text: "A", providerOptions }] }];
  await assert.rejects(async () => model.doGenerate({ prompt }), (error) => {
    assert.ok(InvalidPromptError.isInstance(error));
    assert.match(error.message, /providerOptions\.trunkline\.part of a text part/);
    return true;
  });
  assert.equal(fake.requests.length, 0);
});

test("answers of other providers go along, as far as they are words and calls", async (t) => {
  const { fake, model } = await open(t, says(start, done()));
  const calls = [
    { type: "tool-call" as const, toolCallId: "c1", toolName: "f", input: { a: 1 } },
    { type: "tool-call" as const, toolCallId: "w1", toolName: "web", input: {}, providerExecuted: true },
  ];
  const result = { type: "tool-result" as const, toolCallId: "c1", toolName: "f", output: { type: "json" as const, value: null } };
  const said = [{ type: "reasoning" as const, text: "Hm." }, { type: "text" as const, text: "A" }, ...calls];
  const { warnings } = await model.doGenerate({
    prompt: [{ role: "assistant", content: said }, { role: "tool", content: [result] }],
  });
  assert.deepEqual(warnings.map((warning) => warning.type === "other" && warning.message), [
    "left out a reasoning part of the assistant that trunkline did not write",
    "left out a tool-call part of the assistant that trunkline did not write",
  ]);
  const [first, second] = fake.requests[0]!.messages;
  assert.deepEqual((json(first) as any).parts, [{ text: { text: "A" } }, { toolCall: { callId: "c1", name: "f", arguments: '{"a":1}' } }]);
  assert.deepEqual((json(second) as any).parts, [{ toolResult: { callId: "c1", parts: [{ text: { text: "null" } }] } }]);
});

test("what the caller asks for", async (t) => {
  const { fake, trunkline } = await open(t, says(start, done()));
  const { warnings } = await trunkline("m", { sessionId: "s", transport: "sse", store: true }).doGenerate({
    prompt: [{ role: "system", content: "Be" }, { role: "system", content: "brief." }, HELLO, { role: "system", content: "Later." }],
    ...{ temperature: 0, topP: 0.5, maxOutputTokens: 9, reasoning: "low", topK: 3, seed: 1, stopSequences: ["x"] },
    responseFormat: { type: "json", name: "town", schema: { type: "object" } },
    tools: [
      { type: "function", name: "f", description: "F.", inputSchema: { type: "object" }, strict: true },
      { type: "provider", id: "trunkline.web_search", name: "search", args: { type: "web_search" } },
      { type: "provider", id: "openai.web_search", name: "web", args: {} },
    ],
    toolChoice: { type: "tool", toolName: "search" },
    providerOptions: { trunkline: { reasoningSummary: "auto", transport: "websocket", strictJsonSchema: false } },
  });
  assert.deepEqual(
    warnings.map((warning) => warning.type === "unsupported" && warning.feature),
    ["topK", "stopSequences", "seed", "the tool openai.web_search"],
  );
  const { sessionId, instructions, messages, tools, options } = fake.requests[0]!;
  assert.deepEqual([sessionId, instructions, messages.map(({ role }) => role)], ["s", "Be\n\nbrief.", [Role.USER, Role.SYSTEM]]);
  assert.deepEqual(tools.map(({ name, definitionJson }) => name || definitionJson), ["f", '{"type":"web_search"}']);
  assert.equal(options!.text!.format.case, "jsonSchema");
  const found = {
    temperature: options!.temperature,
    topP: options!.topP,
    most: options!.maxOutputTokens,
    effort: options!.reasoning!.effort,
    summary: options!.reasoning!.summary,
    store: options!.store,
    transport: options!.transport,
    choice: options!.toolChoice!.choice.value,
    strict: options!.text!.format.case === "jsonSchema" && options!.text!.format.value.strict,
  };
  const wanted = { temperature: 0, topP: 0.5, most: 9n, effort: "low", summary: "auto", store: true, transport: 2 };
  assert.deepEqual(found, { ...wanted, choice: '{"type":"web_search"}', strict: false });
});

test("files, results and answers to actions", async (t) => {
  const { fake, model } = await open(t, says(start, done(WHOLE)));
  const [png, url] = [new Uint8Array([1, 2]), new URL("https://a.example/b")];
  const detail = { trunkline: { detail: "low" } };
  const files = [
    { type: "file", mediaType: "image/png", data: { type: "data", data: png }, providerOptions: detail },
    { type: "file", mediaType: "image/png", data: { type: "data", data: "AQI=" } },
    { type: "file", mediaType: "image/*", data: { type: "url", url } },
    { type: "file", mediaType: "image/png", data: { type: "reference", reference: { openai: "file-1" } } },
    { type: "file", mediaType: "application/pdf", data: { type: "data", data: png }, filename: "a.pdf" },
    { type: "file", mediaType: "application/pdf", data: { type: "url", url } },
    { type: "file", mediaType: "text/plain", data: { type: "text", text: "T" } },
  ] as ai.LanguageModelV4FilePart[];
  const outputs: ai.LanguageModelV4ToolResultOutput[] = [
    { type: "text", value: "T" },
    { type: "json", value: { a: 1 } },
    { type: "error-text", value: "E" },
    { type: "error-json", value: { e: 1 } },
    { type: "execution-denied" },
    { type: "content", value: [{ type: "text", text: "T" }, files[0] as never] },
    { type: "content", value: [] },
  ];
  const results = outputs.map((output) => ({ type: "tool-result" as const, toolCallId: "c", toolName: "f", output }));
  await model.doGenerate({ prompt: [{ role: "user", content: files }, { role: "tool", content: results }] });
  const [asked, ...answered] = fake.requests[0]!.messages.map((message) => (json(message) as { parts: object[] }).parts);
  assert.deepEqual(asked, [
    { image: { data: "AQI=", mimeType: "image/png", detail: "low" } },
    { image: { data: "AQI=", mimeType: "image/png" } },
    { image: { url: "https://a.example/b" } },
    { image: { fileId: "file-1" } },
    { file: { data: "AQI=", filename: "a.pdf", mimeType: "application/pdf" } },
    { file: { url: "https://a.example/b" } },
    { text: { text: "T" } },
  ]);
  const shown = answered.map(([part]) => (part as { toolResult: { parts?: any[]; isError?: boolean } }).toolResult);
  assert.deepEqual(
    shown.map(({ parts = [], isError = false }) => [parts.map(({ text, image }) => text?.text ?? image.mimeType).join("+"), isError]),
    [["T", false], ['{"a":1}', false], ["E", true], ['{"e":1}', true], ["The user denied this call.", true], ["T+image/png", false], ["", false]],
  );
});

test("what answers an action goes back as an item", async (t) => {
  const actions = [
    item("shell_call", { call_id: "a" }),
    item("local_shell_call", { call_id: "b" }),
    item("tool_search_call", { call_id: "c" }),
    item("mcp_approval_request", { id: "mcpr_1" }),
  ];
  const message = create(MessageSchema, { role: Role.ASSISTANT, parts: actions });
  const { fake, trunkline, model } = await open(t, says(start, done(message, StopReason.ACTION_REQUIRED)));
  const shell = trunkline.tool({ type: "shell" }, () => ({}));
  const tools = [{ type: "provider" as const, id: shell.id, name: "sh", args: shell.args }];
  const { content, finishReason } = await model.doGenerate({ prompt: [HELLO], tools });
  assert.deepEqual(finishReason, { unified: "tool-calls", raw: "action_required" });
  const calls = content.filter((piece) => piece.type === "tool-call");
  assert.deepEqual(calls.map(({ toolName, providerExecuted }) => [toolName, providerExecuted ?? false]), [
    ["sh", false],
    ["local_shell", false],
    ["tool_search", false],
    ["mcp", true],
  ]);
  const request = content.find((piece) => piece.type === "tool-approval-request")!;
  const value = [{ output: [1] }, "high.txt", { tools: [] }];
  const results = calls.slice(0, 3).map(({ toolCallId, toolName }, index) => {
    return { type: "tool-result" as const, toolCallId, toolName, output: { type: "json" as const, value: value[index]! } };
  });
  const denied = { toolCallId: request.toolCallId, toolName: "mcp", output: { type: "execution-denied" as const } };
  const said = { type: "tool-approval-response" as const, approvalId: request.approvalId, approved: false, reason: "No." };
  const answers = [...results, said, { type: "tool-result" as const, ...denied }];
  await model.doGenerate({ prompt: [HELLO, kept(content), { role: "tool", content: answers }], tools });
  const sent = fake.requests[1]!.messages.slice(2).flatMap(({ parts }) => parts.map(({ part }) => (part.value as { json: string }).json));
  assert.deepEqual(sent.map((one) => JSON.parse(one)), [
    { type: "shell_call_output", call_id: "a", output: [1] },
    { type: "local_shell_call_output", id: "b", output: "high.txt" },
    { type: "tool_search_output", call_id: "c", tools: [] },
    { type: "mcp_approval_response", approval_request_id: "mcpr_1", approve: false, reason: "No." },
  ]);
});
