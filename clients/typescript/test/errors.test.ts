import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { BARE, CLASSES } from "../src/errors.js";
import { errorFrom, stopped } from "../src/failures.js";
import * as trunkline from "../src/node.js";
import { failure, Fake, fails, ours, turn } from "./fake.js";

const { ConnectionFailedError, ContextLengthError, InvalidRequestError, RateLimitError, TimedOutError, TrunklineError } = trunkline;
const DOCS = readFileSync(new URL("../../../../docs/errors.md", import.meta.url), "utf8");

test("each reason that the service reports has a class", () => {
  const table = DOCS.split("## What a caller gets")[1]?.split("\n## ")[0] ?? "";
  const reasons = [...table.matchAll(/^\| ([A-Z_]+) \|/gm)].map(([, reason]) => reason);
  assert.ok(reasons.length > 20);
  assert.deepEqual(Object.keys(CLASSES).sort(), reasons.sort());
});

test("each class is public, a TrunklineError, and named as itself", () => {
  for (const kind of new Set([...Object.values(CLASSES), ...Object.values(BARE)])) {
    const error = new kind("X", "what happened", { status: "INTERNAL" });
    assert.equal((trunkline as Record<string, unknown>)[error.name], kind);
    assert.ok(error instanceof TrunklineError);
    assert.match(String(error), new RegExp(`^${kind.name}: X: what happened$`));
  }
});

test("a call throws the class of its reason", async (t) => {
  const fake = await Fake.start(t, [
    fails(ours(Code.ResourceExhausted, "RATE_LIMITED", {}, 700)),
    fails(ours(Code.InvalidArgument, "CONTEXT_LENGTH_EXCEEDED")),
  ]);
  const limited = await failure(fake.client.stream(turn).result());
  assert.ok(limited instanceof RateLimitError);
  assert.equal(limited.retryAfterMs, 700);
  const long = await failure(fake.client.stream(turn).result());
  assert.ok(long instanceof ContextLengthError && long instanceof InvalidRequestError);
});

test("a status that comes alone has a class, too", () => {
  for (const code of [Code.Unavailable, Code.Unknown, Code.Internal]) {
    assert.ok(errorFrom(new ConnectError("", code)) instanceof ConnectionFailedError);
  }
  assert.ok(errorFrom(new ConnectError("", Code.DeadlineExceeded)) instanceof TimedOutError);
  assert.ok(stopped(AbortSignal.timeout(0).reason ?? new DOMException("", "TimeoutError"), {}) instanceof TimedOutError);
  assert.ok(stopped("enough", {}) instanceof trunkline.TurnCancelledError);
});

test("a reason of a newer service has no class, nor has one that is no word of ours", () => {
  for (const reason of ["BRAND_NEW", "constructor", "__proto__"]) {
    const error = errorFrom(ours(Code.Internal, reason));
    assert.deepEqual([error.constructor, error.reason], [TrunklineError, reason]);
  }
});

test("the reason of a stranger decides nothing", () => {
  const error = errorFrom(ours(Code.DeadlineExceeded, "RATE_LIMITED", {}, undefined, "envoy.io"));
  assert.ok(error instanceof TimedOutError);
});
