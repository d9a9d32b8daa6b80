import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { context, propagation } from "@opentelemetry/api";
import { build } from "esbuild";
import { connect as connectWeb } from "../src/web.js";
import { VERSION } from "../src/version.js";
import { baseUrl } from "../src/connect.js";
import { done, Fake, says, start } from "./fake.js";

const ROOT = new URL("../../", import.meta.url);
const require = createRequire(import.meta.url);
const PACKAGE = require("trunkline/package.json");
/** Those that CommonJS has, too: pi itself comes as ES modules only. */
const NAMES = Object.entries<Record<string, object>>(PACKAGE.exports)
  .filter(([, conditions]) => conditions["require"] !== undefined)
  .map(([path]) => path.replace(".", "trunkline"));

test("the version is that of the package", () => {
  assert.equal(PACKAGE.version, VERSION);
});

test("the lock does not say where a package was downloaded from", () => {
  assert.ok(!readFileSync(new URL("package-lock.json", ROOT), "utf8").includes('"resolved"'));
});

for (const name of NAMES) {
  test(`${name} is the same as an ES module and in CommonJS`, async () => {
    const module = await import(name);
    assert.deepEqual(Object.keys(require(name)).sort(), Object.keys(module).sort());
    assert.match(require.resolve(name), /dist\/cjs/);
    assert.match(import.meta.resolve(name), /dist\/esm/);
  });
}

test("the README of the AI SDK's provider installs the version that it is tested with", () => {
  const readme = readFileSync(new URL("src/ai-sdk/README.md", ROOT), "utf8");
  const [, major] = /@ai-sdk\/provider@(\d+)/.exec(readme)!;
  assert.equal(PACKAGE.devDependencies["@ai-sdk/provider"].split(".")[0], major);
});

test("who uses other versions of the frameworks can install the client", () => {
  const { "@ai-sdk/provider": aiSdk, "@mariozechner/pi-ai": pi } = PACKAGE.peerDependencies;
  assert.deepEqual([aiSdk, pi], ["*", "*"]);
});

test("a CommonJS program makes calls", async (t) => {
  const { address } = await Fake.start(t, says(start, done()));
  const client = require("trunkline").connect(address);
  t.after(() => client.close());
  const { text } = await client.stream({ sessionId: "s", model: "m", messages: [] }).result();
  assert.equal(text, "Hello.");
});

for (const statement of ['export * from "trunkline"', 'module.exports = require("trunkline")']) {
  test(`the browser's build of ${statement} needs nothing of Node`, async () => {
    const { metafile, warnings } = await build({
      stdin: { contents: statement, resolveDir: ROOT.pathname },
      tsconfigRaw: {}, // the package as it is built, not the sources that the paths of tsconfig.json name
      bundle: true,
      platform: "browser",
      write: false,
      metafile: true,
      logLevel: "silent",
    });
    assert.deepEqual(warnings, []);
    const inputs = Object.keys(metafile.inputs);
    assert.ok(inputs.some((path) => /^dist\/(esm|cjs)\/web\.js$/.test(path)));
    assert.ok(!inputs.some((path) => path.includes("connect-node")));
  });
}

test("both entries have the same names", async () => {
  const names = async (path: string) => Object.keys(await import(path)).sort();
  assert.deepEqual(await names("../src/web.js"), await names("../src/node.js"));
});

test("addresses", () => {
  assert.equal(baseUrl("localhost:50051", false), "http://localhost:50051");
  assert.equal(baseUrl("[::1]:50051", true), "https://[::1]:50051");
  assert.equal(baseUrl("https://example.com/door/", false), "https://example.com/door");
  assert.throws(() => baseUrl("http://example.com", true), /tls: the address says otherwise/);
  assert.throws(() => connectWeb("x", { tls: {} }), /certificates are the browser's/);
});

test("where OpenTelemetry is, the current trace goes along; a hook of one's own replaces it", async (t) => {
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  propagation.setGlobalPropagator({
    inject: (_context, carrier, setter) => setter.set(carrier, "traceparent", traceparent),
    extract: (context) => context,
    fields: () => ["traceparent"],
  });
  t.after(() => propagation.disable());
  const fake = await Fake.start(t, says(start, done()));
  const turn = { sessionId: "s", model: "m", messages: [] };
  await context.with(context.active(), () => fake.client.stream(turn).result());
  assert.equal(fake.headers[0]?.get("traceparent"), traceparent);

  const own = await Fake.start(t, says(start, done()), { propagate: (headers) => headers.set("traceparent", "mine") });
  await own.client.complete(turn);
  assert.equal(own.headers[0]?.get("traceparent"), "mine");
});
