/** The AI SDK in a real Chromium: its loops over gRPC-Web, through a real Envoy. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { open, page, problems, stack } from "./page.js";

const PACKAGE = fileURLToPath(new URL("../../../", import.meta.url));

/** What ai-sdk-page.ts exports, on the page. */
declare const sdk: typeof import("./ai-sdk-page.js");

beforeEach(async () => {
  const { outputFiles } = await build({
    entryPoints: [`${PACKAGE}test/browser/ai-sdk-page.ts`],
    tsconfig: `${PACKAGE}tsconfig.json`,
    bundle: true,
    platform: "browser",
    globalName: "sdk",
    write: false,
    logLevel: "error",
  });
  await open({ bypassCSP: true }); // the page allows no script but its own
  await page.addScriptTag({ content: outputFiles[0]!.text });
});

test("a loop of tools and a follow-up, each step incremental", async () => {
  const turns = await page.evaluate(() => sdk.converse(["sim:tools(n=3, parallel=2)", "And now?"]));
  assert.equal(turns[0]!.deltas.join(""), "I called tide_at 3 times. Results: 1: 1.5 m 2: 2.5 m 3: 3.5 m");
  assert.ok(turns[1]!.deltas.length > 1, "it streams");
  assert.match(turns[1]!.deltas.join(""), /^I received 1 new item/);
  assert.deepEqual(turns.map(({ contexts }) => contexts), [["full", "incremental", "incremental"], ["incremental"]]);
  assert.equal(await stack.requests(), 4);
  assert.deepEqual(problems, []);
});

test("an answer that is left is stopped", async () => {
  const before = await stack.requests();
  const deltas = await page.evaluate(() => sdk.leave("sim:slow(n=400, delay_ms=25)"));
  assert.deepEqual(deltas, ["word1 ", "word2 ", "word3 ", "aborted"]);
  assert.equal((await stack.requests()) - before, 1);
  assert.deepEqual(problems, []);
});
