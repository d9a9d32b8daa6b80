/** What `connect` takes, in Node and in the browser alike. */
import type { ClientOptions } from "./client.js";

/** TLS other than with the system's roots. Node only: in a browser certificates are the browser's. */
export interface TlsOptions {
  /** PEM of the roots to trust, in place of the system's. */
  readonly ca?: string | Uint8Array;
  /** PEM of the client's certificate chain, and of its key: a service that asks for them knows the caller by them. */
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  /** Of an encrypted key. */
  readonly passphrase?: string;
  /** The name in the server's certificate, where it is not that of the address. */
  readonly servername?: string;
}

export interface ConnectOptions extends ClientOptions {
  /** Of an address without a scheme: plain text unless set. */
  readonly tls?: boolean | TlsOptions;
  /** How long a connection may be silent before it is probed; 30 000. `Infinity`: never. Node only. */
  readonly keepaliveMs?: number;
  /** Bound of one message, either way: 64 MiB. The service takes 32; an answer may echo images. Node only. */
  readonly maxMessageBytes?: number;
}

/** "host:port" or a URL → the URL that calls are made below. */
export function baseUrl(address: string, tls: boolean): string {
  const named = /^(https?):\/\//i.exec(address);
  if (named === null) return `${tls ? "https" : "http"}://${address}`;
  if (tls && named[1]?.toLowerCase() === "http") throw new TypeError(`tls: the address says otherwise: ${address}`);
  return address.replace(/\/+$/, "");
}
