import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { create } from "@bufbuild/protobuf";
import type { Event, EventStream } from "../src/node.js";
import { StreamCompletionResponseSchema } from "../src/gen/trunkline/v1/completion_pb.js";
import type { Answer } from "./fake.js";
import { answer, done, failure, Fake, fails, hangs, ours, says, start, textDelta, textsOf, turn, until } from "./fake.js";

async function read(stream: EventStream): Promise<Event["kind"][]> {
  const kinds: Event["kind"][] = [];
  for await (const event of stream) kinds.push(event.kind);
  return kinds;
}

test("a turn: start, content, done", async (t) => {
  const fake = await Fake.start(t, says(start, textDelta("Hel"), textDelta("lo."), done()));
  const stream = fake.client.stream({ ...turn, requestId: "r1" });
  const events: Event[] = [];
  for await (const event of stream) events.push(event);
  assert.deepEqual(events.map((event) => event.kind), ["start", "text_delta", "text_delta", "done"]);
  assert.deepEqual(events[0], { kind: "start", turnId: "t1", model: "m-1", transport: "websocket", context: "full" });
  assert.equal(stream.text, "Hello.");
  assert.equal(stream.start?.turnId, "t1");
  const end = stream.done!;
  assert.equal(end.text, "Hello.");
  assert.equal(end.stopReason, "stop");
  assert.equal(end.usage.totalTokens, 5);
  assert.equal(end.report.bytesSaved, 5_000_000_000);
  assert.deepEqual(end.report.timings.firstContentMs, 1000.5);
  assert.equal(end.report.timings.queueMs, undefined);
  assert.equal(fake.requests[0]?.requestId, "r1");
  assert.equal(await stream.result(), end);
});

test("nothing is sent before the first event is asked for", async (t) => {
  const fake = await Fake.start(t, says(start, done()));
  const stream = fake.client.stream(turn);
  await sleep(20);
  assert.equal(fake.requests.length, 0);
  await stream.result();
  assert.equal(fake.requests.length, 1);
});

test("an event kind from the future is ignored", async (t) => {
  const unknown: Answer = async function* (request, context) {
    yield { event: start };
    const response = create(StreamCompletionResponseSchema);
    response.$unknown = [{ no: 99, wireType: 2, data: new Uint8Array([1, 0]) }];
    yield response;
    yield* says(done())(request, context);
  };
  const fake = await Fake.start(t, unknown);
  assert.deepEqual(await read(fake.client.stream(turn)), ["start", "done"]);
});

test("values that are newer than this client come through", async (t) => {
  const end = done();
  Object.assign(end.value, { stopReason: 99 });
  Object.assign(end.value.report, { transport: 77, contextReason: "brand_new" });
  const fake = await Fake.start(t, says(start, end));
  const { stopReason, report } = await fake.client.stream(turn).result();
  assert.equal(stopReason, "99");
  assert.equal(report.transport, "77");
  assert.equal(report.contextReason, "brand_new");
});

test("an error after content is thrown once, with the partial answer", async (t) => {
  const partial = answer("Half, as the service reports it");
  const error = {
    case: "error" as const,
    value: {
      reason: "RATE_LIMITED",
      message: "slow down",
      retryable: true,
      retryAfter: { seconds: 7n },
      partial,
      upstream: { code: "rate_limit_exceeded", status: 429 },
      report: { attempts: 2 },
    },
  };
  const status = ours(Code.ResourceExhausted, "RATE_LIMITED", { sent: "true" });
  const fake = await Fake.start(t, fails(status, start, textDelta("Half"), error));
  const stream = fake.client.stream(turn);
  const thrown = await failure(read(stream));
  assert.equal(thrown.reason, "RATE_LIMITED");
  assert.equal(thrown.rawMessage, "slow down");
  assert.equal(thrown.message, "RATE_LIMITED: slow down");
  assert.equal(thrown.status, "RESOURCE_EXHAUSTED");
  assert.equal(thrown.retryable, true);
  assert.equal(thrown.retryAfterMs, 7000);
  assert.equal(thrown.sent, true);
  assert.equal(thrown.upstream?.status, 429);
  assert.equal(thrown.report?.attempts, 2);
  assert.equal(thrown.usage, undefined);
  assert.deepEqual(textsOf([thrown.partial!]), ["ASSISTANT: Half, as the service reports it"]);
  assert.deepEqual(await read(stream), [], "once");
  await assert.rejects(stream.result(), /it has no end/);
});

test("a stream that ends well without done throws", async (t) => {
  const fake = await Fake.start(t, says(start, textDelta("Half")));
  const thrown = await failure(read(fake.client.stream(turn)));
  assert.equal(thrown.reason, "PROTOCOL_ERROR");
  assert.deepEqual(textsOf([thrown.partial!]), ["ASSISTANT: Half"]);
});

test("a stream that ends well after an error throws the error", async (t) => {
  const fake = await Fake.start(t, says(start, { case: "error", value: { reason: "INTERNAL", message: "oops" } }));
  const thrown = await failure(read(fake.client.stream(turn)));
  assert.equal(thrown.reason, "INTERNAL");
  assert.equal(thrown.status, "OK");
  assert.equal(thrown.sent, true);
});

test("leaving the loop stops the turn", async (t) => {
  const fake = await Fake.start(t, hangs(start, textDelta("Half")));
  for await (const event of fake.client.stream(turn)) if (event.kind === "text_delta") break;
  await until(() => fake.left === 1);
});

test("leaving at done is no cancel", async (t) => {
  const fake = await Fake.start(t, says(start, done()));
  for await (const event of fake.client.stream(turn)) if (event.kind === "done") break;
  await sleep(50);
  assert.equal(fake.left, 0);
});

test("a status that never comes after done is not waited for", async (t) => {
  const fake = await Fake.start(t, hangs(start, done()));
  const began = performance.now();
  await fake.client.stream(turn).result();
  assert.ok(performance.now() - began < 3000);
});

test("cancel() and a signal stop the turn, and its reader gets an error", async (t) => {
  const fake = await Fake.start(t, hangs(start, textDelta("Half")));
  const stream = fake.client.stream(turn);
  const cancelled = await failure(
    (async () => {
      for await (const event of stream) if (event.kind === "text_delta") stream.cancel();
    })(),
  );
  assert.equal(cancelled.reason, "CANCELLED");
  assert.equal(cancelled.sent, undefined);
  assert.deepEqual(textsOf([cancelled.partial!]), ["ASSISTANT: Half"]);

  const controller = new AbortController();
  const reason = new Error("I changed my mind");
  setTimeout(() => controller.abort(reason), 30);
  const aborted = await failure(fake.client.stream({ ...turn, signal: controller.signal }).result());
  assert.equal(aborted.reason, "CANCELLED");
  assert.equal(aborted.cause, reason);
  await until(() => fake.left === 2);
});

test("a signal that was aborted before sends nothing", async (t) => {
  const fake = await Fake.start(t, says(start, done()));
  const signal = AbortSignal.abort();
  const streamed = await failure(fake.client.stream({ ...turn, signal }).result());
  const completed = await failure(fake.client.complete({ ...turn, signal }));
  assert.deepEqual([streamed.reason, streamed.sent], ["CANCELLED", false]);
  assert.deepEqual([completed.reason, completed.sent], ["CANCELLED", false]);
  assert.equal(fake.requests.length + fake.unary.length, 0);
});

test("a timeout, of the call, of the client, or by a signal", async (t) => {
  const fake = await Fake.start(t, hangs(start, textDelta("Half")), { timeoutMs: 400 });
  const client = await failure(fake.client.stream(turn).result());
  const call = await failure(fake.client.stream({ ...turn, timeoutMs: 300 }).result());
  const signal = AbortSignal.timeout(300);
  const signalled = await failure(fake.client.stream({ ...turn, timeoutMs: 10_000, signal }).result());
  for (const thrown of [client, call, signalled]) {
    assert.equal(thrown.reason, "DEADLINE_EXCEEDED");
    assert.equal(thrown.status, "DEADLINE_EXCEEDED");
    assert.deepEqual(textsOf([thrown.partial!]), ["ASSISTANT: Half"]);
  }
});

test("complete: the same turn in one piece, tried again like a stream", async (t) => {
  const fake = await Fake.start(t, says());
  fake.completes = [
    () => {
      throw ours(Code.Unavailable, "SHUTTING_DOWN", { sent: "false" });
    },
    () => done().value,
  ];
  const end = await fake.client.complete(turn);
  assert.equal(end.text, "Hello.");
  assert.equal(end.kind, "done");
  assert.equal(fake.unary.length, 2);
});

test("close ends running calls, and the client can be used again", async (t) => {
  const fake = await Fake.start(t, [hangs(start), says(start, done())]);
  const stream = fake.client.stream(turn);
  await stream.next();
  const reading = failure(stream.result());
  fake.client.close();
  assert.equal((await reading).reason, "UNAVAILABLE");
  await fake.client.stream(turn).result();
});
