import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { toBinary } from "@bufbuild/protobuf";
import type { Conversation, Tool } from "../src/node.js";
import { MessageSchema, system, text, toolResult, TrunklineError, user } from "../src/node.js";
import type { Message } from "../src/node.js";
import { answer, asks, done, Fake, fails, hangs, ours, says, start, textDelta, textsOf, turn } from "./fake.js";

const call = (callId: string, name = "look", args = "{}") => ({ callId, name, arguments: args });
const look: Tool = { name: "look", description: "Looks.", run: ({ at }: { at?: string }) => `seen ${at}` };

test("a turn that ends well adds what was asked and what was answered", async (t) => {
  const fake = await Fake.start(t, [
    says(start, done(answer("One."))),
    says(start, done(answer("Two."))),
  ]);
  const conversation = fake.client.conversation({ model: "m", instructions: "Be brief.", messages: [system("Rules.")] });
  await conversation.stream("First?").result();
  for await (const event of conversation.stream(["Second?", text("And?")])) {
    if (event.kind === "done") assert.equal(conversation.messages.length, 5, "it stands there when done is seen");
  }
  assert.deepEqual(textsOf(conversation.messages), [
    "SYSTEM: Rules.",
    "USER: First?",
    "ASSISTANT: One.",
    "USER: Second?+And?",
    "ASSISTANT: Two.",
  ]);
  assert.deepEqual(textsOf(fake.requests[1]!.messages), textsOf(conversation.messages).slice(0, 4));
  assert.equal(fake.requests[1]!.instructions, "Be brief.");
  assert.match(conversation.sessionId, /^[0-9a-f]{32}$/);
  assert.equal(fake.requests[1]!.sessionId, conversation.sessionId);
});

test("what the service answered goes back as it came, with fields that are not known here", async (t) => {
  const fake = await Fake.start(t, [says(start, done()), says(start, done())]);
  const conversation = fake.client.conversation({ model: "m" });
  const { message } = await conversation.stream("Hi").result();
  message.$unknown = [{ no: 99, wireType: 2, data: new Uint8Array([3, 1, 2, 3]) }];
  const bytes = toBinary(MessageSchema, message);
  await conversation.stream("Again").result();
  assert.deepEqual(toBinary(MessageSchema, fake.requests[1]!.messages[1]!), bytes);
});

test("a turn that fails, or is left, or stopped, changes nothing", async (t) => {
  const fake = await Fake.start(t, [
    fails(ours(Code.Internal, "UPSTREAM_ERROR"), start, textDelta("Half")),
    hangs(start, textDelta("Half")),
    hangs(start),
    says(start, done()),
  ]);
  const conversation = fake.client.conversation({ model: "m" });
  await assert.rejects(conversation.stream("Fails").result(), TrunklineError);
  for await (const event of conversation.stream("Left")) if (event.kind === "text_delta") break;
  await assert.rejects(conversation.stream("Late", { timeoutMs: 40 }).result(), { reason: "DEADLINE_EXCEEDED" });
  await assert.rejects(conversation.complete("Never", { signal: AbortSignal.abort() }), { reason: "CANCELLED" });
  assert.deepEqual(conversation.messages, []);
  await conversation.stream("Well").result();
  assert.equal(conversation.messages.length, 2);
});

test("two turns at once are refused: both cannot be the next message", async (t) => {
  const fake = await Fake.start(t, [hangs(start), says(start, done())]);
  const conversation = fake.client.conversation({ model: "m" });
  const first = conversation.stream("First");
  await first.next();
  await assert.rejects(conversation.stream("Second").next(), /still open/);
  await assert.rejects(conversation.complete("Second"), /still open/);
  await first.return();
  await conversation.stream("Third").result();
  conversation.stream("Never read");
  await conversation.complete("A turn that nobody reads is no turn");
});

test("options: the conversation's, with the turn's on top; what is not given is not sent", async (t) => {
  const fake = await Fake.start(t, says(start, done()));
  const conversation = fake.client.conversation({ model: "m", temperature: 0, transport: "sse", topP: 0.5 });
  const turn = conversation.stream("Hi", { transport: "websocket", topP: undefined, toolChoice: { allowed: ["a"] } });
  await turn.result();
  const { options } = fake.requests[0]!;
  assert.equal(options?.temperature, 0);
  assert.equal(options?.topP, undefined);
  assert.equal(options?.transport, 2);
  assert.equal(options?.maxOutputTokens, undefined);
  assert.deepEqual(options?.toolChoice?.choice.case, "allowed");
  assert.throws(() => conversation.stream("Hi", { transport: "pigeon" as never }), /transport: "pigeon" is none of/);
});

test("complete adds to the conversation too", async (t) => {
  const fake = await Fake.start(t, says());
  const conversation = fake.client.conversation({ model: "m", tools: [look] });
  const end = await conversation.complete("Hi");
  assert.deepEqual(textsOf(conversation.messages), ["USER: Hi", `ASSISTANT: ${end.text}`]);
});

test("the latest continuation goes with the next turn, and with a copy of the conversation", async (t) => {
  const continued = done();
  Object.assign(continued.value, { continuation: "token-1" });
  const fake = await Fake.start(t, [says(start, continued), says(start, done())]);
  const conversation = fake.client.conversation({ model: "m", store: true });
  assert.equal((await conversation.stream("Hi").result()).continuation, "token-1");
  await conversation.stream("Again").result();
  await conversation.complete("And again");
  const { messages, continuation } = conversation;
  await fake.client.conversation({ model: "m", messages, continuation }).stream("Elsewhere").result();
  await fake.client.stream({ ...turn, continuation: "by hand" }).result();
  assert.deepEqual(fake.requests.map((request) => request.continuation), ["", "token-1", "token-1", "by hand"]);
  const [completed] = fake.unary;
  assert.ok(completed?.$typeName === "trunkline.v1.CompleteRequest");
  assert.equal(completed.continuation, "token-1", "an answer without one changes nothing");
});

test("run calls tools until the model stops asking", async (t) => {
  const fake = await Fake.start(t, [
    says(start, asks(call("c1", "look", '{"at":"a"}'), call("c2", "look", '{"at":"b"}'))),
    says(start, textDelta("Seen."), done(answer("Seen."))),
  ]);
  const conversation = fake.client.conversation({ model: "m" });
  const run = conversation.run("Look.", { tools: [look], maxOutputTokens: 9 });
  const kinds: string[] = [];
  for await (const event of run) kinds.push(event.kind);
  assert.deepEqual(kinds, ["start", "done", "start", "text_delta", "done"]);
  assert.equal(run.done?.text, "Seen.");
  assert.deepEqual(results(conversation), ["c1: seen a", "c2: seen b"]);
  assert.equal(fake.requests[1]!.tools[0]!.description, "Looks.");
  assert.equal(fake.requests[1]!.options?.maxOutputTokens, 9n);
});

test("a tool's errors are reported to the model", async (t) => {
  const broken: Tool = {
    name: "broken",
    run: () => {
      throw new RangeError("out of order");
    },
  };
  const cyclic: Tool = {
    name: "cyclic",
    run: () => {
      const value: { self?: unknown } = {};
      value.self = value;
      return value;
    },
  };
  const fake = await Fake.start(t, [
    says(
      start,
      asks(
        call("c1", "broken"),
        call("c2", "missing"),
        call("c3", "look", "{"),
        call("c4", "look", "[]"),
        call("c5", "cyclic"),
      ),
    ),
    says(start, done()),
  ]);
  const conversation = fake.client.conversation({ model: "m", tools: [look, broken, cyclic] });
  await conversation.run("Go.").result();
  const answers = results(conversation);
  assert.equal(answers[0], "c1! RangeError: out of order");
  assert.equal(answers[1], 'c2! there is no tool named "missing"');
  assert.match(answers[2]!, /^c3! the arguments are not valid JSON: SyntaxError/);
  assert.equal(answers[3], "c4! the arguments are not a JSON object");
  assert.match(answers[4]!, /^c5! TypeError: /);
});

test("rounds are bounded, and the next run goes on from there without calling twice", async (t) => {
  let calls = 0;
  const counted: Tool = { name: "look", run: () => (calls += 1) };
  const fake = await Fake.start(t, [
    says(start, asks(call("c1"))),
    says(start, asks(call("c2"))),
    fails(ours(Code.Internal, "UPSTREAM_ERROR"), start),
    says(start, done()),
  ]);
  const conversation = fake.client.conversation({ model: "m", tools: [counted] });
  const end = await conversation.run("Go.", { maxRounds: 2 }).result();
  assert.equal(end.stopReason, "tool_use");
  assert.deepEqual(conversation.openCalls().map(({ callId }) => callId), ["c2"]);
  await assert.rejects(conversation.run().result(), { reason: "UPSTREAM_ERROR" });
  await conversation.run().result();
  assert.equal(calls, 2);
  assert.throws(() => conversation.run("x", { maxRounds: 0 }), RangeError);
});

test("a run is stopped in the middle of a tool, and the tool's signal aborts", async (t) => {
  const fake = await Fake.start(t, [says(start, asks(call("c1"))), says(start, done())]);
  let passed: AbortSignal | undefined;
  const slow: Tool = {
    name: "look",
    run: (_, { signal }) => {
      passed = signal;
      setImmediate(() => run.cancel());
      return new Promise(() => undefined);
    },
  };
  const conversation = fake.client.conversation({ model: "m", tools: [slow] });
  const run = conversation.run("Go.");
  await assert.rejects(run.result(), { reason: "CANCELLED", sent: false });
  assert.equal(passed?.aborted, true);
  assert.equal(conversation.openCalls().length, 1);
});

test("leaving a run leaves its turn", async (t) => {
  const fake = await Fake.start(t, [says(start, asks(call("c1"))), hangs(start), says(start, done())]);
  const conversation = fake.client.conversation({ model: "m", tools: [look] });
  let starts = 0;
  for await (const event of conversation.run("Go.")) if (event.kind === "start" && (starts += 1) === 2) break;
  assert.deepEqual(conversation.messages.length, 3, "asked, called, answered");
  await conversation.run().result();
});

test("sessions", async (t) => {
  const fake = await Fake.start(t, says());
  const conversation = fake.client.conversation({ model: "m", sessionId: "s", instructions: "Be brief.", tools: [look] });
  assert.equal((await conversation.warm()).lineState, "idle");
  const [warmed] = fake.unary;
  assert.ok(warmed?.$typeName === "trunkline.v1.WarmSessionRequest");
  assert.deepEqual([warmed.prime, warmed.instructions, warmed.tools[0]?.name], [true, "Be brief.", "look"]);
  const ids: string[] = [];
  for await (const session of fake.client.sessions({ pageSize: 1 })) ids.push(`${session.sessionId}${session.turns}`);
  assert.deepEqual(ids, ["a2", "b2"]);
  await assert.rejects(fake.client.getSession("x"), { reason: "SESSION_NOT_FOUND", status: "NOT_FOUND", sent: false });
  await conversation.release();
});

test("messages: what may be said", () => {
  const result = toolResult("c1", { temperature: 20, city: "Zürich" }).parts[0]!.part;
  assert.ok(result.case === "toolResult" && result.value.parts[0]?.part.case === "text");
  assert.equal(result.value.parts[0].part.value.text, '{"temperature":20,"city":"Zürich"}');
  for (const nothing of [undefined, null]) {
    const { part } = toolResult("c1", nothing).parts[0]!;
    assert.ok(part.case === "toolResult" && part.value.parts.length === 0);
  }
  assert.deepEqual(textsOf([user("a", text("b"))]), ["USER: a+b"]);
});

function results({ messages }: Conversation): string[] {
  return messages.flatMap((message: Message) =>
    message.parts.flatMap(({ part }) => {
      if (part.case !== "toolResult") return [];
      const [first] = part.value.parts;
      const words = first?.part.case === "text" ? first.part.value.text : "";
      return [`${part.value.callId}${part.value.isError ? "!" : ":"} ${words}`];
    }),
  );
}
