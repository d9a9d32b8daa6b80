/**
 * When a call is tried again, and when it must end.
 *
 * The one decision that may cost money twice: only an UNAVAILABLE that carries the service's own ErrorInfo
 * ("nothing was sent upstream") is tried again.
 */
import { ConnectError } from "@connectrpc/connect";
import type { TrunklineError } from "./errors.js";
import { errorFrom, stopped } from "./failures.js";
import type { Error as ErrorEvent } from "./gen/trunkline/v1/completion_pb.js";
import type { Message } from "./gen/trunkline/v1/message_pb.js";

/** How often and how patiently a call of which nothing was sent is tried. `{ attempts: 1 }`: once. */
export interface Retry {
  /** Tries in all. 4. */
  readonly attempts?: number;
  /** The first wait; each next one is twice as long, up to `capMs`, and spread by chance. 100. */
  readonly baseMs?: number;
  /** 5000. */
  readonly capMs?: number;
  /** A service that says "later than this" (RetryInfo) is thrown, not waited for. 30 000. */
  readonly patienceMs?: number;
}

/** The tries of one call: counts them and keeps its deadline, which spans them all. */
export class Attempts {
  readonly #policy: Required<Retry>;
  readonly #timeoutMs: number | undefined;
  #deadline: number | undefined;
  #made = 0;

  constructor(policy: Retry, timeoutMs: number | undefined) {
    this.#policy = { attempts: 4, baseMs: 100, capMs: 5000, patienceMs: 30_000, ...policy };
    this.#timeoutMs = timeoutMs;
  }

  get made(): number {
    return this.#made;
  }

  /** One more try. Returns what is left of the deadline, which is that try's own timeout. */
  begin(): number | undefined {
    this.#made += 1;
    if (this.#timeoutMs === undefined) return undefined;
    this.#deadline ??= performance.now() + this.#timeoutMs;
    // Whole, for `grpc-timeout`; and never 0, which is no deadline to the transports.
    return Math.max(1, Math.ceil(this.#deadline - performance.now()));
  }

  /** How long to wait before the next try; undefined: there is none, throw the error. */
  delay(error: TrunklineError): number | undefined {
    const { attempts, baseMs, capMs, patienceMs } = this.#policy;
    const unsent = error.status === "UNAVAILABLE" && error.sent === false;
    const asked = error.retryAfterMs ?? 0;
    if (!unsent || this.#made >= attempts || asked > patienceMs) return undefined;
    // Never earlier than RetryInfo, and spread after it: all callers got the same one.
    const delay = asked + Math.min(capMs, baseMs * 2 ** (this.#made - 1)) * (0.5 + Math.random() / 2);
    if (this.#deadline !== undefined && performance.now() + delay >= this.#deadline) return undefined;
    return delay;
  }
}

/** What a turn has heard before it failed. */
export interface Heard {
  readonly heard: boolean;
  readonly event?: ErrorEvent;
  readonly partial?: Message;
}

/** A try failed: how long to wait before the next one. Throws where there is none. */
export function delayAfter(
  thrown: unknown,
  attempts: Attempts,
  signal: AbortSignal | undefined,
  { heard, event, partial }: Heard = { heard: false },
): number {
  if (signal?.aborted) throw stopped(signal.reason, { sent: attempts.made === 0 ? false : undefined, partial });
  if (!(thrown instanceof ConnectError)) throw thrown; // not of the wire: the caller's own code, or final
  const error = errorFrom(thrown, event, partial);
  const delay = heard ? undefined : attempts.delay(error);
  if (delay === undefined) throw error;
  return delay;
}

/** Resolves after a time, or at once when the signal says so: whoever waits looks at the signal next. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    if (signal?.aborted) finish();
    else signal?.addEventListener("abort", finish);
  });
}
