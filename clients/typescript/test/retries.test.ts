import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { connect, TrunklineError } from "../src/node.js";
import { Attempts } from "../src/retry.js";
import type { Answer } from "./fake.js";
import { done, failure, Fake, fails, hangs, ours, says, start, textDelta, textsOf, turn } from "./fake.js";

test("what the service says was not sent is tried again", async (t) => {
  const refused = fails(ours(Code.Unavailable, "SHUTTING_DOWN", { sent: "false" }, 1));
  const fake = await Fake.start(t, [refused, refused, says(start, done())]);
  await fake.client.stream(turn).result();
  assert.equal(fake.requests.length, 3);
});

test("tries are bounded, and so is patience", async (t) => {
  const fake = await Fake.start(t, fails(ours(Code.Unavailable, "CONNECT_FAILED")), { retry: { attempts: 2, baseMs: 1 } });
  const thrown = await failure(fake.client.stream(turn).result());
  assert.equal(thrown.reason, "CONNECT_FAILED");
  assert.equal(thrown.sent, false);
  assert.equal(thrown.retryable, true);
  assert.equal(fake.requests.length, 2);
  const later = await Fake.start(t, fails(ours(Code.Unavailable, "CONNECT_FAILED", {}, 500)), {
    retry: { patienceMs: 400 },
  });
  assert.equal((await failure(later.client.stream(turn).result())).retryAfterMs, 500);
  assert.equal(later.requests.length, 1);
});

test("nothing else is tried again", async (t) => {
  const once: [string, Answer][] = [
    ["a bare UNAVAILABLE", fails(new ConnectError("reset", Code.Unavailable))],
    ["of another domain", fails(ours(Code.Unavailable, "SHUTTING_DOWN", {}, undefined, "example.com"))],
    ["what was sent", fails(ours(Code.Unavailable, "CONNECT_FAILED", { sent: "true" }))],
    ["another status", fails(ours(Code.ResourceExhausted, "OVERLOADED", { sent: "false" }, 1))],
    ["after an event", fails(ours(Code.Unavailable, "SHUTTING_DOWN", { sent: "false" }), start)],
  ];
  for (const [what, script] of once) {
    const fake = await Fake.start(t, script);
    await failure(fake.client.stream(turn).result());
    assert.equal(fake.requests.length, 1, what);
  }
});

test("where a turn is resumed, breaks in a row are waited for longer, and each new event begins the count again", () => {
  const attempts = new Attempts({ baseMs: 100 }, undefined, true);
  const lost = new TrunklineError("UNAVAILABLE", "reset", { status: "UNAVAILABLE" });
  const waits = (events: number) => {
    attempts.begin();
    for (let came = 0; came < events; came += 1) attempts.progressed();
    const wait = attempts.delay(lost, events > 0)!;
    return 100 * 2 ** Math.ceil(Math.log2(wait / 100)); // it is spread over its upper half
  };
  assert.deepEqual([0, 0, 0, 2, 0].map(waits), [100, 200, 400, 100, 200]);
});

test("a bare UNAVAILABLE has an unknown outcome", async (t) => {
  const fake = await Fake.start(t, fails(new ConnectError("reset", Code.Unavailable)));
  const thrown = await failure(fake.client.stream(turn).result());
  assert.equal(thrown.reason, "UNAVAILABLE");
  assert.equal(thrown.sent, undefined);
  assert.equal(thrown.retryable, false);
});

test("a connection that breaks is a bare UNAVAILABLE, with the partial answer", async (t) => {
  const fake = await Fake.start(t, hangs(start, textDelta("Half")));
  const stream = fake.client.stream(turn);
  const thrown = await failure(
    (async () => {
      for await (const event of stream) if (event.kind === "text_delta") fake.drop();
    })(),
  );
  assert.equal(thrown.reason, "UNAVAILABLE");
  assert.equal(thrown.sent, undefined);
  assert.deepEqual(textsOf([thrown.partial!]), ["ASSISTANT: Half"]);
});

test("a service that is not there is a bare UNAVAILABLE", async (t) => {
  const fake = await Fake.start(t, says());
  fake.close();
  const client = connect(fake.address);
  t.after(() => client.close());
  const thrown = await failure(client.getSession("s1"));
  assert.equal(thrown.reason, "UNAVAILABLE");
  assert.equal(thrown.sent, undefined);
});

test("what is wrong with a request is reported by field", async (t) => {
  const fake = await Fake.start(t, fails(ours(Code.InvalidArgument, "INVALID_REQUEST", { sent: "false", more: "x" })));
  const thrown = await failure(fake.client.stream(turn).result());
  assert.deepEqual(thrown.violations, [{ field: "model", description: "is required" }]);
  assert.deepEqual(thrown.metadata, { sent: "false", more: "x" });
});

test("the deadline spans the tries", async (t) => {
  const fake = await Fake.start(t, fails(ours(Code.Unavailable, "CONNECT_FAILED")), {
    retry: { attempts: 50, baseMs: 40, capMs: 40 },
  });
  const thrown = await failure(fake.client.stream({ ...turn, timeoutMs: 150 }).result());
  // The deadline may also strike within a try.
  assert.ok(["CONNECT_FAILED", "DEADLINE_EXCEEDED"].includes(thrown.reason), thrown.reason);
  assert.ok(fake.requests.length < 10, String(fake.requests.length));
});

test("a cancel ends the wait before a retry", async (t) => {
  const fake = await Fake.start(t, fails(ours(Code.Unavailable, "CONNECT_FAILED", {}, 900)));
  const stream = fake.client.stream(turn);
  setTimeout(() => stream.cancel(), 50);
  const began = performance.now();
  assert.equal((await failure(stream.result())).reason, "CANCELLED");
  assert.ok(performance.now() - began < 800);
});

test("headers: token, session, agent", async (t) => {
  let asked = 0;
  const token = async () => `secret-${(asked += 1)}`;
  const refused = fails(ours(Code.Unavailable, "CONNECT_FAILED"));
  const fake = await Fake.start(t, [refused, says(start, done())], { token });
  await fake.client.stream(turn).result();
  assert.deepEqual(
    fake.headers.map((headers) => headers.get("authorization")),
    ["Bearer secret-1", "Bearer secret-2"],
  );
  assert.equal(fake.headers[0]?.get("x-session-id"), "s1");
  assert.match(fake.headers[0]?.get("user-agent") ?? "", /^trunkline-typescript\/\d/);
  await fake.client.complete({ ...turn, sessionId: "späte\nzeile" });
  assert.equal(fake.headers[2]?.get("x-session-id"), null, "the service names the field");
});

test("what the caller's own code throws comes through as it is", async (t) => {
  const problem = new RangeError("no token");
  const fake = await Fake.start(t, says(start, done()), {
    token: () => {
      throw problem;
    },
  });
  await assert.rejects(fake.client.stream(turn).result(), problem);
  await assert.rejects(fake.client.getSession("s1"), problem);
});
