/** The entry point of browsers, and of whatever has `fetch` and no HTTP/2 of its own: gRPC-Web. */
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { Client } from "./client.js";
import type { ConnectOptions } from "./connect.js";
import { baseUrl } from "./connect.js";

export * from "./index.js";

/**
 * A client for the proxy (Envoy) in front of the service, by default where the page came from. Traces go along
 * where `propagate` says so. Keepalive and message size are the browser's own business.
 */
export function connect(address = globalThis.location?.origin ?? "127.0.0.1:8080", options: ConnectOptions = {}): Client {
  const { tls = false, keepaliveMs: _, maxMessageBytes: __, ...settings } = options;
  if (typeof tls === "object") throw new TypeError("tls: certificates are the browser's; use true, or an https address");
  return new Client(createGrpcWebTransport({ baseUrl: baseUrl(address, tls) }), settings);
}
