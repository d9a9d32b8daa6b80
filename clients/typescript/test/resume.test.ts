/** Turns that go on where their connection breaks. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import type { EventStream, Tool } from "../src/node.js";
import type { Answer, Response } from "./fake.js";
import { answer, asks, done, failure, Fake, hangs, ours, says, start, textDelta, textsOf, turn, until } from "./fake.js";

const EVENTS = [start, textDelta("a"), textDelta("b"), textDelta("c"), done(answer("abc"))];
const KINDS = ["start", "text_delta", "text_delta", "text_delta", "done"];
const HEARTBEAT: Response = { event: { case: "heartbeat", value: {} } };

/** Events of the turn by their numbers, then this end; no end: the stream just ends. */
function reads(numbers: number[], end?: ConnectError): Answer {
  return async function* () {
    for (const number of numbers) yield { event: EVENTS[number - 1], sequence: BigInt(number) };
    if (end !== undefined) throw end;
  };
}

const broken = (code = Code.Unavailable) => new ConnectError("reset", code);

function numbers(from: number, to = EVENTS.length): number[] {
  return EVENTS.map((_, index) => index + 1).slice(from - 1, to);
}

async function kindsOf(stream: EventStream): Promise<string[]> {
  const kinds: string[] = [];
  for await (const event of stream) kinds.push(event.kind);
  return kinds;
}

for (const heard of numbers(1).map((number) => number - 1)) {
  test(`a connection that breaks after ${heard} events is not seen`, async (t) => {
    const fake = await Fake.start(t, [reads(numbers(1, heard), broken()), reads(numbers(heard + 1))]);
    const conversation = fake.client.conversation({ model: "m", resume: true });
    const stream = conversation.stream("Hi");
    assert.deepEqual(await kindsOf(stream), KINDS);
    assert.equal(stream.sequence, 5);
    const [first, second] = fake.requests;
    assert.deepEqual([first?.afterSequence, second?.afterSequence], [0n, BigInt(heard)]);
    assert.match(stream.key, /^[0-9a-f]{32}$/);
    assert.deepEqual([first?.turnKey, second?.turnKey], [stream.key, stream.key]);
    assert.equal(first?.options?.linger?.seconds, 60n);
    assert.deepEqual(textsOf(conversation.messages), ["USER: Hi", "ASSISTANT: abc"]);
    assert.equal(fake.stopped.length, 0);
  });
}

test("whatever breaks it: a status that no service sent, a stream that ends, a socket", async (t) => {
  const ends = [broken(Code.Internal), broken(Code.Unknown), broken(Code.Canceled), undefined];
  for (const end of ends) {
    const fake = await Fake.start(t, [reads([1, 2], end), reads(numbers(3))]);
    assert.deepEqual(await kindsOf(fake.client.stream({ ...turn, resume: true })), KINDS, String(end));
  }
  const fake = await Fake.start(t, [hangs(...EVENTS.slice(0, 2)), reads(numbers(3))]);
  const kinds: string[] = [];
  for await (const event of fake.client.stream({ ...turn, resume: true })) {
    if (event.kind === "text_delta" && kinds.length === 1) fake.drop();
    kinds.push(event.kind);
  }
  assert.deepEqual(kinds, KINDS);
});

test("events that come again are dropped, and heartbeats are no events", async (t) => {
  const again: Answer = async function* (request, context) {
    yield { ...HEARTBEAT, sequence: 3n };
    yield* reads([2, 3, 4])(request, context);
    yield { ...HEARTBEAT, sequence: 4n };
    yield* reads([2, 5])(request, context);
  };
  const fake = await Fake.start(t, [reads([1, 2, 3], broken()), again]);
  assert.deepEqual(await kindsOf(fake.client.stream({ ...turn, resume: true })), KINDS);
});

test("with heartbeats a silent connection is a broken one, but not before its first message", async (t) => {
  const late: Answer = async function* (request, context) {
    await sleep(400);
    yield* hangs(...EVENTS.slice(0, 2))(request, context);
  };
  const beats: Answer = async function* (request, context) {
    for (let count = 0; count < 5; count += 1) {
      yield { ...HEARTBEAT, sequence: 2n };
      await sleep(100);
    }
    yield* reads(numbers(3))(request, context);
  };
  const fake = await Fake.start(t, [late, beats]);
  assert.deepEqual(await kindsOf(fake.client.stream({ ...turn, resume: true, heartbeatMs: 100 })), KINDS);
  assert.equal(fake.requests.length, 2);
  await until(() => fake.left === 1);
});

test("a break after done changes nothing", async (t) => {
  const fake = await Fake.start(t, reads(numbers(1), broken()));
  assert.equal((await fake.client.stream({ ...turn, resume: true }).result()).text, "abc");
  assert.equal(fake.requests.length, 1);
});

test("breaks in a row are bounded, each new event begins the count again, and each is reported", async (t) => {
  const draining: Answer = async function* () {
    throw ours(Code.Unavailable, "SHUTTING_DOWN", { sent: "false" });
  };
  const script = [reads([], broken()), reads([1], broken()), reads([], broken()), draining, reads([2, 3], broken())];
  const fake = await Fake.start(t, [...script, reads([4, 5])]);
  const reported: (string | undefined)[] = [];
  const stream = fake.client.stream({ ...turn, resume: true, onBreak: (error) => reported.push(error?.reason) });
  assert.deepEqual(await kindsOf(stream), KINDS);
  const [lost, back] = ["UNAVAILABLE", undefined];
  assert.deepEqual(reported, [lost, back, lost, lost, "SHUTTING_DOWN", back, lost, back]);

  const never = await Fake.start(t, [reads([1, 2], broken()), reads([], broken())]);
  const thrown = await failure(never.client.stream({ ...turn, resume: true }).result());
  assert.deepEqual([thrown.reason, thrown.sent, thrown.reported], ["UNAVAILABLE", undefined, false]);
  assert.deepEqual(textsOf([thrown.partial!]), ["ASSISTANT: a"]);
  assert.equal(never.requests.length, 9);
});

test("a turn that began again is stopped, and thrown as lost", async (t) => {
  const fake = await Fake.start(t, [reads([1, 2], broken()), hangs(start, textDelta("x"))]);
  const thrown = await failure(kindsOf(fake.client.stream({ ...turn, resume: true })));
  assert.match(thrown.message, /the turn was lost with its connection/);
  assert.deepEqual([thrown.reason, thrown.sent], ["UNAVAILABLE", undefined]);
  assert.deepEqual(textsOf([thrown.partial!]), ["ASSISTANT: a"]);
  await until(() => fake.stopped.length === 1 && fake.left === 1);
  assert.deepEqual(fake.stopped[0]?.turn, { case: "turnId", value: "t1" });
  assert.equal(fake.requests.length, 2);
});

test("a missing event is thrown, and the turn is stopped", async (t) => {
  const fake = await Fake.start(t, reads([1, 3]));
  const stream = fake.client.stream({ ...turn, resume: true });
  assert.match((await failure(stream.result())).message, /event 3 came where event 2 was due/);
  await until(() => fake.stopped.length === 1);
  assert.deepEqual(fake.stopped[0]?.turn, { case: "turnKey", value: stream.key });
});

test("what the service says is final", async (t) => {
  const failed = { case: "error" as const, value: { reason: "UPSTREAM_ERROR" } };
  const error = (end: ConnectError): Answer =>
    async function* () {
      yield { event: failed, sequence: 3n };
      throw end;
    };
  const ends: [string, Answer][] = [
    ["TAKEN_OVER", reads([], ours(Code.Aborted, "TAKEN_OVER", { sent: "true" }))],
    ["UPSTREAM_ERROR", error(ours(Code.Internal, "UPSTREAM_ERROR", { sent: "true" }))],
    ["UPSTREAM_ERROR", error(broken())],
    ["INVALID_REQUEST", reads([], ours(Code.InvalidArgument, "INVALID_REQUEST"))],
  ];
  for (const [reason, end] of ends) {
    const fake = await Fake.start(t, [reads([1, 2], broken()), end]);
    const thrown = await failure(kindsOf(fake.client.stream({ ...turn, resume: true })));
    assert.deepEqual([thrown.reason, thrown.reported, fake.requests.length], [reason, true, 2]);
    assert.notEqual(thrown.sent, false);
    assert.equal(fake.stopped.length, 0);
  }
});

test("what may have been sent is never called unsent", async (t) => {
  const fake = await Fake.start(t, [reads([], broken()), reads([], ours(Code.Unavailable, "SHUTTING_DOWN", { sent: "false" }))]);
  const thrown = await failure(fake.client.stream({ ...turn, resume: true }).result());
  assert.deepEqual([thrown.reason, thrown.sent], ["SHUTTING_DOWN", undefined]);
});

test("the deadline spans the calls, and stops the turn", async (t) => {
  const fake = await Fake.start(t, [reads([1], broken()), hangs()]);
  const stream = fake.client.stream({ ...turn, resume: true, timeoutMs: 200 });
  assert.equal((await failure(stream.result())).reason, "DEADLINE_EXCEEDED");
  await until(() => fake.stopped.length === 1);
  assert.deepEqual(fake.stopped[0]?.turn, { case: "turnKey", value: stream.key });
});

test("leaving a turn, by whatever way, also stops it, once", async (t) => {
  const fake = await Fake.start(t, hangs(...EVENTS.slice(0, 2)));
  const conversation = fake.client.conversation({ model: "m", resume: true });
  for await (const event of conversation.stream("Left")) if (event.kind === "text_delta") break;
  await until(() => fake.stopped.length === 1);
  const stream = conversation.stream("Cancelled");
  for await (const _ of stream) break; // and cancel() after that does nothing
  stream.cancel();
  await until(() => fake.stopped.length === 2);
  const controller = new AbortController();
  const signalled = conversation.stream("Signalled", { signal: controller.signal });
  await signalled.next();
  controller.abort();
  assert.equal((await failure(signalled.result())).reason, "CANCELLED");
  await until(() => fake.stopped.length === 3);
  const keys = fake.requests.map(({ turnKey }) => turnKey);
  assert.deepEqual(fake.stopped.map(({ turn }) => turn.value), keys);
  const unread = conversation.stream("Never read");
  unread.cancel();
  assert.equal((await failure(unread.result())).sent, false);
  await fake.client.close();
  assert.equal(fake.stopped.length, 3);
});

test("a client that is closed stops its turns first", async (t) => {
  const fake = await Fake.start(t, hangs(...EVENTS.slice(0, 2)));
  const stream = fake.client.stream({ ...turn, resume: true });
  await stream.next();
  const reading = failure(stream.result());
  await fake.client.close();
  assert.deepEqual(fake.stopped.map(({ turn }) => turn.value), [stream.key]);
  assert.equal((await reading).reason, "CANCELLED");
});

test("a run resumes any of its turns, each with a key of its own", async (t) => {
  const calls = says(start, asks({ callId: "c1", name: "look", arguments: "{}" }));
  const fake = await Fake.start(t, [calls, reads([1, 2], broken()), reads(numbers(3))]);
  let looked = 0;
  const look: Tool = { name: "look", run: () => (looked += 1) };
  const run = fake.client.conversation({ model: "m" }).run("Go.", { tools: [look], resume: true, lingerMs: 5000, turnKey: "k" });
  assert.equal((await run.result()).text, "abc");
  assert.equal(looked, 1);
  const [first, second, third] = fake.requests.map(({ turnKey }) => turnKey);
  assert.equal(first, "k");
  assert.notEqual(second, "k");
  assert.deepEqual([second, run.turn?.key], [third, third]);
  assert.deepEqual(fake.requests.map(({ options }) => options?.linger?.seconds), [5n, 5n, 5n]);
});

test("complete asks again with the same key, and leaving it stops the turn", async (t) => {
  const fake = await Fake.start(t, says());
  const breaks = () => {
    throw broken();
  };
  fake.completes = [breaks, breaks, () => done().value];
  const conversation = fake.client.conversation({ model: "m", resume: true });
  await conversation.complete("Hi");
  const keys = fake.unary.map((request) => "turnKey" in request && request.turnKey);
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
  assert.equal(fake.stopped.length, 0);
  const arrived = (said: string) =>
    fake.unary.some((request) => "messages" in request && textsOf(request.messages).includes(`USER: ${said}`));
  fake.completes = [() => new Promise<never>(() => undefined)];
  assert.equal((await failure(conversation.complete("Late", { timeoutMs: 60 }))).reason, "DEADLINE_EXCEEDED");
  await until(() => fake.stopped.length === 1);
  const controller = new AbortController();
  const left = failure(conversation.complete("Left", { signal: controller.signal }));
  await until(() => arrived("Left"));
  controller.abort();
  assert.equal((await left).reason, "CANCELLED");
  await until(() => fake.stopped.length === 2);
  const closed = failure(conversation.complete("Closed"));
  await until(() => arrived("Closed"));
  await fake.client.close();
  assert.equal((await closed).reason, "CANCELLED");
  assert.equal(fake.stopped.length, 3);
  const unsent = await failure(conversation.complete("Unsent", { signal: AbortSignal.abort() }));
  assert.equal(unsent.sent, false);
  assert.deepEqual([arrived("Unsent"), fake.stopped.length], [false, 3]);
});

test("a turn may be taken up by another process", async (t) => {
  const fake = await Fake.start(t, [reads([3], broken()), reads([4, 5]), reads([1])]);
  const named = { ...turn, turnKey: "k", afterSequence: 2, resume: true };
  assert.deepEqual(await kindsOf(fake.client.stream(named)), KINDS.slice(2));
  assert.match((await failure(kindsOf(fake.client.stream(named)))).message, /lost with its connection/);
});

test("without resume a key changes nothing: a break is thrown, and leaving only leaves", async (t) => {
  const fake = await Fake.start(t, [reads([1, 2], broken()), hangs(start)]);
  assert.equal((await failure(kindsOf(fake.client.stream({ ...turn, turnKey: "k" })))).reason, "UNAVAILABLE");
  for await (const _ of fake.client.stream({ ...turn, turnKey: "k" })) break;
  await until(() => fake.left === 1);
  await fake.client.close();
  assert.deepEqual([fake.requests.length, fake.stopped.length], [2, 0]);
});
