import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { create } from "@bufbuild/protobuf";
import { actionResult, assistant, MessageSchema, user } from "../src/node.js";
import { done, Fake, hangs, ours, says, start, textsOf } from "./fake.js";

const kept = [user("Hi"), create(MessageSchema, actionResult({ type: "compaction", encrypted_content: "…" }))];

const compacted = {
  messages: kept,
  usage: { inputTokens: 90n, outputTokens: 10n, totalTokens: 100n },
  responseId: "cmp_1",
  provider: "fake",
  createdAt: { seconds: 86_400n },
};

test("compact: the upstream's messages replace those of the conversation, in the same list", async (t) => {
  const fake = await Fake.start(t, says(start, done()));
  fake.compacts = () => compacted;
  const conversation = fake.client.conversation({ model: "m", instructions: "Be brief.", store: true, serviceTier: "flex" });
  const { messages } = conversation;
  await conversation.stream("Hi").result();
  const compaction = await conversation.compact({ requestId: "r1" });
  assert.equal(compaction.usage.totalTokens, 100);
  assert.deepEqual([compaction.responseId, compaction.provider], ["cmp_1", "fake"]);
  assert.deepEqual(compaction.createdAt, new Date("1970-01-02"));
  assert.equal(conversation.messages, messages);
  assert.deepEqual(textsOf(messages), ["USER: Hi", "TOOL: <upstreamItem>"]);
  const [request] = fake.compacted;
  assert.deepEqual(textsOf(request!.messages), ["USER: Hi", "ASSISTANT: Hello."]);
  assert.deepEqual(
    [request?.sessionId, request?.model, request?.instructions, request?.requestId],
    [conversation.sessionId, "m", "Be brief.", "r1"],
  );
  assert.deepEqual([request?.store, request?.serviceTier, request?.promptCacheKey], [true, "flex", ""]);
  await conversation.stream("Again").result();
  assert.deepEqual(textsOf(fake.requests[1]!.messages), ["USER: Hi", "TOOL: <upstreamItem>", "USER: Again"]);
});

test("a compaction that fails changes nothing, and its error is that of any call", async (t) => {
  const fake = await Fake.start(t, says(start, done()));
  fake.compacts = () => {
    throw ours(Code.InvalidArgument, "INVALID_REQUEST", { sent: "true" });
  };
  const conversation = fake.client.conversation({ model: "m", messages: [user("Hi"), assistant("Hello.")] });
  await assert.rejects(conversation.compact(), { reason: "INVALID_REQUEST", sent: true });
  assert.equal(conversation.messages.length, 2);
  await conversation.stream("Well").result();
});

test("a compaction and a turn at once are refused", async (t) => {
  const fake = await Fake.start(t, [hangs(start), says(start, done())]);
  const conversation = fake.client.conversation({ model: "m" });
  const turn = conversation.stream("First");
  await turn.next();
  await assert.rejects(conversation.compact(), /still open/);
  await turn.return();
  const compacting = conversation.compact();
  await assert.rejects(conversation.complete("Second"), /still open/);
  await compacting;
  assert.deepEqual(conversation.messages, []);
});

test("a conversation that is nobody's is compacted by hand, and tried again like any call", async (t) => {
  const fake = await Fake.start(t, says());
  fake.compacts = () => {
    if (fake.compacted.length === 1) throw ours(Code.Unavailable, "SHUTTING_DOWN", { sent: "false" });
    return compacted;
  };
  const compaction = await fake.client.compact("s1", { model: "m", messages: [user("Hi")], promptCacheKey: "k" });
  assert.deepEqual(textsOf(compaction.messages), textsOf(kept));
  assert.equal(fake.compacted[1]?.promptCacheKey, "k");
});
