/** Certificates, for Node: what is wrong with them shows when the client is made, not at the first call. */
import { X509Certificate } from "node:crypto";
import type { SecureClientSessionOptions } from "node:http2";
import { createSecureContext } from "node:tls";
import type { TlsOptions } from "./connect.js";

/** Reads the certificates once, for all connections of a client. */
export function secured({ ca, cert, key, passphrase, servername }: TlsOptions): SecureClientSessionOptions {
  const given = { ca: pem("ca", ca), cert: pem("cert", cert), key: pem("key", key) };
  if (cert === undefined && key !== undefined) throw new TypeError("tls.cert: is required with tls.key");
  if (cert !== undefined && key === undefined) throw new TypeError("tls.key: is required with tls.cert");
  try {
    if (given.ca) new X509Certificate(given.ca); // a context ignores an authority that it cannot read
    return { secureContext: createSecureContext({ ...given, passphrase }), servername };
  } catch (cause) {
    throw new TypeError(`tls: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function pem(name: string, value: string | Uint8Array | undefined): Buffer | undefined {
  if (value === undefined) return undefined;
  const content = Buffer.from(value as string);
  if (!content.includes("-----BEGIN ")) {
    throw new TypeError(`tls.${name}: is not PEM; give what is in the file, not its path`);
  }
  return content;
}
