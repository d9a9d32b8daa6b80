import assert from "node:assert/strict";
import { test } from "node:test";
import { Sequence } from "../src/sequence.js";

test("each event counts once and in order, over all calls", () => {
  const sequence = new Sequence();
  assert.deepEqual([1, 2, 3].map((number) => sequence.place(number)), ["due", "due", "due"]);
  sequence.begin();
  assert.deepEqual([2, 1, 3, 4, 4].map((number) => sequence.place(number)), ["again", "again", "again", "due", "again"]);
  assert.equal(sequence.last, 4);
});

test("a call that begins with 1 after others reads another turn", () => {
  const sequence = new Sequence(2);
  assert.equal(sequence.place(1), "restarted");
  assert.equal(sequence.last, 2);
});

test("where nothing had come, 1 is due", () => {
  const sequence = new Sequence();
  sequence.begin();
  assert.equal(sequence.place(1), "due");
});

test("a missing event is seen", () => {
  const sequence = new Sequence();
  assert.deepEqual([sequence.place(1), sequence.place(3), sequence.last], ["due", "gap", 1]);
});
