import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { Done } from "../src/events.js";
import { doneFrom } from "../src/events.js";
import { DoneSchema } from "../src/gen/trunkline/v1/completion_pb.js";
import type { Message, Part } from "../src/gen/trunkline/v1/message_pb.js";
import { MessageSchema, PartSchema, Role } from "../src/gen/trunkline/v1/message_pb.js";
import { SessionFinder } from "../src/session-finder.js";
import { assistant, system, text, toolResult, upstreamItem, user } from "../src/node.js";

const ASKED = [user("a")];

function says(message: Message, continuation = ""): Done {
  return doneFrom(create(DoneSchema, { message, continuation }));
}

/** A turn that ends well. Returns the id of its session. */
async function turn(finder: SessionFinder, messages: Message[], answer: Message, continuation?: string): Promise<string> {
  const found = await finder.take(messages);
  await found.settle(says(answer, continuation));
  return found.sessionId;
}

function said(...parts: (string | Part)[]): Message {
  return assistant(...parts);
}

test("a history that ends with an answer continues its session", async () => {
  const finder = new SessionFinder();
  const first = await turn(finder, ASKED, said("A"));
  assert.equal(await turn(finder, [...ASKED, said("A"), user("b")], said("B")), first);
  assert.equal(await turn(finder, [...ASKED, said("A"), user("b"), said("B"), user("c"), user("d")], said("C")), first);
});

test("one that branches off an older point has a session of its own, and leaves the first one alone", async () => {
  const finder = new SessionFinder();
  const first = await turn(finder, ASKED, said("A"));
  await turn(finder, [...ASKED, said("A"), user("b")], said("B"));
  assert.notEqual(await turn(finder, [...ASKED, said("A"), user("x")], said("X")), first);
  assert.equal(await turn(finder, [...ASKED, said("A"), user("b"), said("B"), user("c")], said("C")), first);
  assert.notEqual(await turn(finder, ASKED, said("A")), first);
});

test("two turns at once never have the same session", async () => {
  const finder = new SessionFinder();
  const first = await turn(finder, ASKED, said("A"));
  const messages = [...ASKED, said("A"), user("b")];
  const taken = await Promise.all([finder.take(messages), finder.take(messages), finder.take(messages)]);
  // Which of them has the first session is open: the digests are computed by threads.
  const ids = taken.map(({ sessionId }) => sessionId);
  assert.equal(new Set(ids).size, 3);
  assert.ok(ids.includes(first));
});

test("conversations that say the same do not lose their sessions to each other", async () => {
  const finder = new SessionFinder();
  const ids = new Set([await turn(finder, ASKED, said("A")), await turn(finder, ASKED, said("A"))]);
  assert.equal(ids.size, 2);
  const next = [...ASKED, said("A"), user("b")];
  const taken = [await finder.take(next), await finder.take(next)].map(({ sessionId }) => sessionId);
  assert.deepEqual(new Set(taken), ids);
});

test("a turn that fails leaves its session where it was", async () => {
  const finder = new SessionFinder();
  const fresh = await finder.take(ASKED);
  await fresh.settle(undefined);
  assert.equal(await turn(finder, ASKED, said("A")), fresh.sessionId);
  const failed = await finder.take([...ASKED, said("A"), user("b")]);
  await failed.settle(undefined);
  assert.equal(await turn(finder, [...ASKED, said("A"), user("other")], said("B")), fresh.sessionId);
});

test("what frameworks may leave out of an answer does not count, and what it says does", async () => {
  const thought = create(PartSchema, { part: { case: "reasoning", value: { summary: ["Hm."] } } });
  const call = create(PartSchema, { part: { case: "toolCall", value: { callId: "c1", name: "f", arguments: '{"a": 1}' } } });
  const again = create(PartSchema, { part: { case: "toolCall", value: { callId: "c1", name: "f", arguments: '{"a":1}' } } });
  const whole = said(thought, upstreamItem({ type: "web_search_call" }), "A", text(""), call);
  for (const [kept, same] of [[said("A", again), true], [said("B", again), false], [said("A"), false]] as const) {
    const finder = new SessionFinder();
    const first = await turn(finder, ASKED, whole);
    assert.equal((await turn(finder, [...ASKED, kept, toolResult("c1", "1")], said("C"))) === first, same);
  }
});

test("the roles, the results and the order of messages count", async () => {
  const results = [toolResult("c1", "1"), toolResult("c2", "2")];
  const finder = new SessionFinder();
  const first = await turn(finder, [user("a"), ...results], said("A"));
  for (const asked of [[user("a"), ...results.toReversed()], [system("a"), ...results], [user("a"), results[0]!]]) {
    assert.notEqual(await turn(finder, [...asked, said("A"), user("b")], said("B")), first);
  }
});

test("the continuation of the latest answer comes along", async () => {
  const finder = new SessionFinder();
  await turn(finder, ASKED, said("A"), "token");
  await turn(finder, [...ASKED, said("A"), user("b")], said("B"));
  const { continuation } = await finder.take([...ASKED, said("A"), user("b"), said("B"), user("c")]);
  assert.equal(continuation, "token");
});

test("it remembers so many, and forgets the oldest", async () => {
  const finder = new SessionFinder(2);
  const ids = [];
  for (const name of ["a", "b", "c"]) ids.push(await turn(finder, [user(name)], said("A")));
  const found = [];
  for (const name of ["c", "b", "a"]) found.push((await finder.take([user(name), said("A"), user("next")])).sessionId);
  assert.deepEqual([found[0] === ids[2], found[1] === ids[1], found[2] === ids[0]], [true, true, false]);
});

test("an empty answer is an answer", async () => {
  const finder = new SessionFinder();
  const empty = create(MessageSchema, { role: Role.ASSISTANT });
  const first = await turn(finder, ASKED, empty);
  assert.equal(await turn(finder, [...ASKED, empty, user("b")], said("B")), first);
});
