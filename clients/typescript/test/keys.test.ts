/** Turns that have a name: attached to, listed, stopped. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Answer } from "./fake.js";
import { done, failure, Fake, fails, ours, says, start, textDelta, turn } from "./fake.js";

const heartbeat: Answer = async function* () {
  yield { event: { case: "heartbeat", value: {} }, sequence: 2n };
  yield { event: textDelta("lo."), sequence: 3n };
  yield { event: done(), sequence: 4n };
};

test("a turn has its key, and the number of its last event; a heartbeat is no event", async (t) => {
  const broken = fails(new ConnectError("reset", Code.Unavailable), start, textDelta("Hel"));
  const fake = await Fake.start(t, [broken, heartbeat, says(start, done())]);
  const first = fake.client.stream({ ...turn, turnKey: "k", lingerMs: 1500 });
  assert.deepEqual([first.key, first.sequence], ["k", 0]);
  await failure(first.result());
  assert.deepEqual([first.key, first.sequence], ["k", 2]);
  const { key: turnKey, sequence: afterSequence } = first;
  const second = fake.client.stream({ ...turn, turnKey, afterSequence, heartbeatMs: 1000 });
  assert.equal(second.sequence, 2);
  const kinds: string[] = [];
  for await (const event of second) kinds.push(event.kind);
  assert.deepEqual(kinds, ["text_delta", "done"]);
  assert.equal(second.sequence, 4);
  const asked = fake.requests.map(({ turnKey, afterSequence }) => [turnKey, afterSequence]);
  assert.deepEqual(asked, [["k", 0n], ["k", 2n]]);
  const { options } = fake.requests[0]!;
  assert.deepEqual([options?.linger?.seconds, options?.linger?.nanos, options?.heartbeat], [1n, 500_000_000, undefined]);
  assert.equal(fake.requests[1]?.options?.heartbeat?.seconds, 1n);
  const bare = fake.client.stream(turn);
  await bare.result();
  assert.deepEqual([bare.key, fake.requests[2]?.turnKey, fake.requests[2]?.options?.linger], ["", "", undefined]);
});

test("complete may have a key, and its report says whether it joined a turn", async (t) => {
  const fake = await Fake.start(t, says());
  const { value } = done();
  fake.completes = [() => ({ ...value, report: { ...value.report, attached: true, upstream: "azure", upstreamReason: "cooldown" } })];
  const { report } = await fake.client.complete({ ...turn, turnKey: "k" });
  assert.equal(report.attached, true);
  assert.deepEqual([report.upstream, report.upstreamReason], ["azure", "cooldown"]);
  const [request] = fake.unary;
  assert.ok(request?.$typeName === "trunkline.v1.CompleteRequest");
  assert.equal(request.turnKey, "k");
});

test("a session lists its turns", async (t) => {
  const fake = await Fake.start(t, says());
  const startedAt = { seconds: 86_400n };
  fake.running = [{ turnId: "t1", turnKey: "k", startedAt, attached: true, lastSequence: 7n }, { ended: true }];
  const { runningTurns } = await fake.client.getSession("s1");
  assert.deepEqual(runningTurns, [
    { turnId: "t1", turnKey: "k", startedAt: new Date("1970-01-02"), attached: true, ended: false, lastSequence: 7 },
    { turnId: "", turnKey: "", startedAt: undefined, attached: false, ended: true, lastSequence: 0 },
  ]);
});

test("cancelTurn stops a turn by its id or by its key, and by one of them only", async (t) => {
  const fake = await Fake.start(t, says());
  await fake.client.cancelTurn("s1", { turnId: "t1" });
  await fake.client.cancelTurn("s1", { turnKey: "k" });
  const stopped = fake.stopped.map(({ sessionId, turn }) => [sessionId, turn.case, turn.value]);
  assert.deepEqual(stopped, [["s1", "turnId", "t1"], ["s1", "turnKey", "k"]]);
  fake.cancels = () => {
    throw ours(Code.NotFound, "TURN_NOT_FOUND", { sent: "false" });
  };
  assert.equal((await failure(fake.client.cancelTurn("s1", { turnKey: "x" }))).reason, "TURN_NOT_FOUND");
  for (const wrong of [{}, { turnId: "t1", turnKey: "k" }]) {
    await assert.rejects(fake.client.cancelTurn("s1", wrong as never), /give either turnId or turnKey/);
  }
  assert.equal(fake.stopped.length, 3);
});
