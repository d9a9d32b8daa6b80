/** The entry point of Node: gRPC over HTTP/2. */
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { Client } from "./client.js";
import type { ConnectOptions } from "./connect.js";
import { baseUrl } from "./connect.js";
import { secured } from "./tls.js";
import { VERSION } from "./version.js";

export * from "./index.js";

const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** A client for the service at "host:port", or at a URL. No connection is made before the first call. */
export function connect(address = "127.0.0.1:50051", options: ConnectOptions = {}): Client {
  const { tls = false, keepaliveMs = KEEPALIVE_MS, maxMessageBytes = MAX_MESSAGE_BYTES, ...settings } = options;
  const url = baseUrl(address, Boolean(tls));
  const sessionManager = new Http2SessionManager(
    url,
    { pingIntervalMs: keepaliveMs, pingTimeoutMs: KEEPALIVE_TIMEOUT_MS },
    typeof tls === "object" ? secured(tls) : undefined,
  );
  const transport = createGrpcTransport({
    baseUrl: url,
    sessionManager,
    readMaxBytes: maxMessageBytes,
    writeMaxBytes: maxMessageBytes,
    interceptors: [
      (next) => (request) => {
        request.header.set("user-agent", `trunkline-typescript/${VERSION}`);
        return next(request);
      },
    ],
  });
  return new Client(transport, { propagate: openTelemetry, ...settings }, () => sessionManager.abort());
}

/** Where @opentelemetry/api is installed the current trace goes along. By a variable: no bundler looks for it. */
async function openTelemetry(headers: Headers): Promise<void> {
  const name = "@opentelemetry/api";
  api ??= import(name).catch(() => undefined);
  const found = await api;
  found?.propagation.inject(found.context.active(), headers, { set: (carrier, key, value) => carrier.set(key, value) });
}

let api: Promise<typeof import("@opentelemetry/api") | undefined> | undefined;
