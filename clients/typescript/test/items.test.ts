import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { Done, Event, Part, Tool } from "../src/node.js";
import {
  actionResult,
  approval,
  customTool,
  text,
  toolDefinition,
  ToolCallKind,
  upstreamItem,
  upstreamItemsOf,
} from "../src/node.js";
import { doneFrom } from "../src/events.js";
import { DoneSchema, StopReason } from "../src/gen/trunkline/v1/completion_pb.js";
import { MessageSchema, PartSchema, Role } from "../src/gen/trunkline/v1/message_pb.js";
import { answer, asks, done, Fake, says, start } from "./fake.js";

const REQUEST = '{ "type": "mcp_approval_request","id":"mcpr_1" }';
const look: Tool = { name: "look", run: ({ at }: { at: string }) => `seen ${at}` };
const shout = customTool({ name: "shout", run: (input) => `found ${input}` });

function itemOf(written: string | object) {
  return upstreamItemsOf(actionResult(written))[0]!;
}

function ended(parts: Part[], stopReason = StopReason.ACTION_REQUIRED): Done {
  return doneFrom(create(DoneSchema, { message: create(MessageSchema, { parts }), stopReason }));
}

test("an item is kept as it is written, and its type is read from it", () => {
  const types = { [REQUEST]: "mcp_approval_request", '{"type":7}': "", '{"id":"x"}': "", '["type"]': "", "{": "" };
  for (const [written, type] of Object.entries(types)) {
    const item = itemOf(written);
    assert.deepEqual([item.type, item.json], [type, written]);
  }
  assert.equal(itemOf({ type: "item_reference", id: "x" }).json, '{"type":"item_reference","id":"x"}');
});

test("approvals name the request that they answer", () => {
  const yes = approval(itemOf(REQUEST), true).part;
  assert.ok(yes.case === "upstreamItem");
  const json = '{"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":true}';
  assert.deepEqual([yes.value.type, yes.value.json], ["mcp_approval_response", json]);
  const no = approval(itemOf(REQUEST), false, { reason: "No." }).part;
  assert.ok(no.case === "upstreamItem" && no.value.json.endsWith('"approve":false,"reason":"No."}'));
  assert.throws(() => approval(itemOf({ type: "shell_call", id: "x" }), true), /shell_call is not an mcp_approval_request/);
  assert.throws(() => approval(itemOf({ type: "mcp_approval_request" }), true), TypeError);
});

test("actions are the items that nothing in the answer answers", () => {
  const items = [
    { type: "web_search_call", id: "ws_1" },
    { type: "shell_call", call_id: "c1" },
    { type: "shell_call", call_id: "c2" },
    { type: "shell_call_output", call_id: "c1" },
    { type: "mcp_approval_request", id: "mcpr_2" },
    { type: "mcp_call", approval_request_id: "mcpr_2" },
    { type: "apply_patch_call", call_id: 7 },
    REQUEST,
    "not JSON",
  ];
  const parts = [text("Wait."), ...items.map(upstreamItem)];
  assert.deepEqual(ended(parts).actions.map(({ type }) => type), ["shell_call", "mcp_approval_request"]);
  assert.equal(ended(parts).upstreamItems.length, items.length);
  assert.deepEqual(ended(parts, StopReason.STOP).actions, []);
});

test("citations and log probabilities of all texts, in order", () => {
  const texts = ['[{"url":"1"}, {"url":"2"}]', "[{", "", '[{"url":"3"}]'].map((annotationsJson) =>
    create(PartSchema, { part: { case: "text", value: { annotationsJson, logprobsJson: '[{"token":"a"}]' } } }),
  );
  const { annotations, logprobs } = ended(texts);
  assert.deepEqual(annotations.map(({ url }) => url), ["1", "2", "3"]);
  assert.deepEqual(logprobs, Array(4).fill({ token: "a" }));
});

test("tools and a choice by definition are sent as they are written", async (t) => {
  const fake = await Fake.start(t, says(start, done()));
  const search = '{ "type": "web_search", "name": "unused" }';
  const grammar = customTool({ name: "count", description: "Counts.", format: { type: "text" } });
  const tools = [shout, grammar, toolDefinition(search), toolDefinition({ type: "shell" }), toolDefinition("{")];
  const conversation = fake.client.conversation({ model: "m", tools, include: ["a", "b"] });
  const again = { tools: [toolDefinition(search)], toolChoice: { definition: { type: "shell" } } };
  await conversation.run("Go.", again).result();
  const [request] = fake.requests;
  assert.deepEqual(request!.tools.map((tool) => [tool.name, tool.definitionJson]), [
    ["", '{"type":"custom","name":"shout"}'],
    ["", '{"type":"custom","name":"count","description":"Counts.","format":{"type":"text"}}'],
    ["", search],
    ["", '{"type":"shell"}'],
    ["", "{"],
  ]);
  assert.deepEqual(request!.options?.include, ["a", "b"]);
  assert.deepEqual(request!.options?.toolChoice?.choice, { case: "definitionJson", value: '{"type":"shell"}' });
});

test("run gives a custom tool its text, and refuses a call of the other kind", async (t) => {
  const call = (callId: string, name: string, args: string, kind = ToolCallKind.CUSTOM) => ({
    callId,
    name,
    arguments: args,
    kind,
  });
  const calls = [
    call("c1", "shout", "{not: json"),
    call("c2", "look", "x"),
    call("c3", "shout", "{}", ToolCallKind.FUNCTION),
    call("c4", "look", '{"at":"a"}', ToolCallKind.UNSPECIFIED),
  ];
  const fake = await Fake.start(t, [says(start, asks(...calls)), says(start, done())]);
  const conversation = fake.client.conversation({ model: "m", tools: [look, shout] });
  await conversation.run("Go.").result();
  const results = conversation.messages.flatMap((message) =>
    message.parts.flatMap(({ part }) => {
      if (part.case !== "toolResult") return [];
      const said = part.value.parts[0]!.part;
      return [`${part.value.callId}${part.value.isError ? "!" : ":"} ${said.case === "text" ? said.value.text : ""}`];
    }),
  );
  assert.deepEqual(results, [
    "c1: found {not: json",
    'c2! the tool "look" is not a custom one',
    'c3! the tool "shout" is a custom one',
    "c4: seen a",
  ]);
});

test("run stops where the model waits, and answer goes on", async (t) => {
  const call = { callId: "c1", name: "look", arguments: '{"at":"a"}' };
  const parts = [upstreamItem(REQUEST), create(PartSchema, { part: { case: "toolCall", value: call } })];
  const waits = done({ role: Role.ASSISTANT, parts }, StopReason.ACTION_REQUIRED);
  const fake = await Fake.start(t, [says(start, waits), says(start, done(answer("Done.")))]);
  const conversation = fake.client.conversation({ model: "m", tools: [look] });
  const stopped = await conversation.run("Go.").result();
  assert.deepEqual([stopped.stopReason, fake.requests.length], ["action_required", 1]);
  const yes = approval(stopped.actions[0]!, true);
  assert.equal((await conversation.answer(yes).result()).text, "Done.");
  const sent = fake.requests[1]!.messages; // the question, the answer, the open call's result, what answers the action
  assert.deepEqual(sent.map(({ role }) => role), [Role.USER, Role.ASSISTANT, Role.TOOL, Role.TOOL]);
  assert.equal(sent[2]!.parts[0]!.part.case, "toolResult");
  assert.deepEqual(sent[3]!.parts, [yes]);
});

test("a call that an item answers is not open", async (t) => {
  const fake = await Fake.start(t, says(start, done()));
  const calls = ["c1", "c2"].map((callId) =>
    create(PartSchema, { part: { case: "toolCall", value: { callId, name: "look" } } }),
  );
  const answered = [{ type: "function_call_output", call_id: "c1" }, { type: "shell_call", call_id: "c2" }];
  const said = create(MessageSchema, { role: Role.ASSISTANT, parts: [...calls, ...answered.map(upstreamItem)] });
  const conversation = fake.client.conversation({ model: "m", messages: [said] });
  assert.deepEqual(conversation.openCalls().map(({ callId }) => callId), ["c2"]);
  conversation.messages.push(actionResult({ type: "custom_tool_call_output", call_id: "c2" }));
  assert.deepEqual(conversation.openCalls(), []);
});

test("progress is an event; tier, usage and ignored events are in the end", async (t) => {
  const value = { contentIndex: 2, itemType: "web_search_call", eventType: "response.x", json: "{}" };
  const end = done();
  const usage = { ...end.value.usage, detailsJson: "{ }" };
  const report = { ...end.value.report, ignoredEvents: { "response.odd": 2 } };
  const detailed = { ...end, value: { ...end.value, usage, report, serviceTier: "flex" } };
  const fake = await Fake.start(t, says(start, { case: "itemProgress", value }, detailed));
  const events: Event[] = [];
  for await (const event of fake.client.conversation({ model: "m" }).stream("Go.")) events.push(event);
  assert.deepEqual(events[1], { kind: "item_progress", ...value });
  const last = events[2];
  assert.ok(last?.kind === "done");
  assert.deepEqual([last.serviceTier, last.usage.detailsJson], ["flex", "{ }"]);
  assert.deepEqual(last.report.ignoredEvents, { "response.odd": 2 });
});
