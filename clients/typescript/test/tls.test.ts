/** Certificates: the service's own, from a private authority, and the caller's. */
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import type { SecureServerOptions } from "node:http2";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { generate } from "selfsigned";
import type { TlsOptions } from "../src/node.js";
import { connect, ConnectionFailedError } from "../src/node.js";
import { done, failure, Fake, says, start, turn } from "./fake.js";

const CA = await certificate("authority");
const SERVICE = await certificate("service", CA);
const CALLER = await certificate("caller", CA);
const SERVER = { key: SERVICE.key, cert: SERVICE.cert };

interface Pair {
  readonly key: string;
  readonly cert: string;
}

async function certificate(commonName: string, ca?: Pair): Promise<Pair> {
  const pair = await generate([{ name: "commonName", value: commonName }], {
    keyType: "ec",
    algorithm: "sha256",
    ca,
    extensions: [
      { name: "basicConstraints", cA: ca === undefined, critical: true },
      { name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }, { type: 2, value: `${commonName}.example` }] },
    ],
  });
  return { key: pair.private, cert: pair.cert };
}

function service(t: TestContext, tls: TlsOptions | true, server: SecureServerOptions = {}): Promise<Fake> {
  return Fake.start(t, says(start, done()), { tls }, { ...SERVER, ...server });
}

test("a service whose certificate is of a private authority is trusted by that authority's", async (t) => {
  for (const ca of [CA.cert, Buffer.from(CA.cert), `${CALLER.cert}\n${CA.cert}`]) {
    const { client } = await service(t, { ca });
    assert.equal((await client.stream(turn).result()).text, "Hello.");
  }
});

test("without it the connection fails, and says why", async (t) => {
  const { client } = await service(t, true);
  const error = await failure(client.stream(turn).result());
  assert.ok(error instanceof ConnectionFailedError);
  assert.match(error.message, /certificate/);
});

test("a service that asks for the caller's certificate gets it", async (t) => {
  const asking = { ca: CA.cert, requestCert: true, rejectUnauthorized: true };
  const { client } = await service(t, { ca: CA.cert, ...CALLER }, asking);
  assert.equal((await client.stream(turn).result()).text, "Hello.");
  const passphrase = "correct horse";
  const key = createPrivateKey(CALLER.key).export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase });
  const encrypted = await service(t, { ca: CA.cert, cert: CALLER.cert, key, passphrase }, asking);
  assert.equal((await encrypted.client.stream(turn).result()).text, "Hello.");
  const without = await service(t, { ca: CA.cert }, asking);
  assert.ok((await failure(without.client.stream(turn).result())) instanceof ConnectionFailedError);
});

test("the name in the certificate may be another than the address's", async (t) => {
  const named = await service(t, { ca: CA.cert, servername: "service.example" });
  assert.equal((await named.client.stream(turn).result()).text, "Hello.");
  const other = await service(t, { ca: CA.cert, servername: "other.example" });
  assert.match((await failure(other.client.stream(turn).result())).message, /altnames/);
});

test("what is wrong with certificates shows when the client is made", () => {
  const wrong: [TlsOptions, RegExp][] = [
    [{ ca: "/etc/ssl/ca.pem" }, /^TypeError: tls\.ca: is not PEM; give what is in the file, not its path$/],
    [{ cert: CALLER.cert }, /^TypeError: tls\.key: is required with tls\.cert$/],
    [{ key: CALLER.key }, /^TypeError: tls\.cert: is required with tls\.key$/],
    [{ cert: SERVICE.cert, key: CALLER.key }, /^TypeError: tls: .*mismatch/],
    [{ ca: "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----" }, /^TypeError: tls: /],
  ];
  for (const [tls, message] of wrong) {
    assert.throws(() => connect("localhost:1", { tls }), (error) => message.test(String(error)), String(message));
  }
});
