/**
 * When a call is tried again, and when it must end.
 *
 * The one decision that may cost money twice: only an UNAVAILABLE that carries the service's own ErrorInfo
 * ("nothing was sent upstream") is tried again, and, where a key lets the same turn go on, a call whose connection
 * broke.
 */
import { ConnectError } from "@connectrpc/connect";
import type { Status, TrunklineError } from "./errors.js";
import { endedEarly, errorFrom, stopped } from "./failures.js";
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

/**
 * How often in a row a call whose connection broke is made again without that an event comes. With the waits of `Retry`
 * that is 8 to 16 s: a proxy or a network that is gone for 5 s costs no answer.
 */
const RESUMES = 8;

/** How a connection that breaks ends a call, depending on what breaks it. OK: a stream that just ends. */
const LOST: ReadonlySet<Status> = new Set(["OK", "CANCELLED", "UNKNOWN", "INTERNAL", "UNAVAILABLE"]);

/** The tries of one call: counts them and keeps its deadline, which spans them all. */
export class Attempts {
  readonly #policy: Required<Retry>;
  readonly #timeoutMs: number | undefined;
  /** Whether a call whose connection broke is made again. */
  readonly resumes: boolean;
  #deadline: number | undefined;
  #made = 0;
  #lost = false;

  constructor(policy: Retry, timeoutMs: number | undefined, resumes = false) {
    this.#policy = { attempts: 4, baseMs: 100, capMs: 5000, patienceMs: 30_000, ...policy };
    this.#timeoutMs = timeoutMs;
    this.resumes = resumes;
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

  /** A new event came: the tries after it are counted from 1 again. */
  progressed(): void {
    this.#made = Math.min(this.#made, 1);
  }

  /** How long to wait before the next try; undefined: there is none, throw the error's `verdict`. */
  delay(error: TrunklineError, heard = false): number | undefined {
    const { baseMs, capMs, patienceMs } = this.#policy;
    const lost = !error.reported && LOST.has(error.status);
    this.#lost ||= lost;
    const asked = error.retryAfterMs ?? 0;
    if (this.#made >= this.#most(error, lost, heard) || asked > patienceMs) return undefined;
    // Never earlier than RetryInfo, and spread after it: all callers got the same one.
    const delay = asked + Math.min(capMs, baseMs * 2 ** (this.#made - 1)) * (0.5 + Math.random() / 2);
    if (this.#deadline !== undefined && performance.now() + delay >= this.#deadline) return undefined;
    return delay;
  }

  /** The error that ends the call. It may be of a try that sent nothing, after one that was lost. */
  verdict(error: TrunklineError): TrunklineError {
    if (this.#lost && error.sent === false) (error as { sent?: boolean }).sent = undefined;
    return error;
  }

  /** How many tries in a row may end so. */
  #most(error: TrunklineError, lost: boolean, heard: boolean): number {
    if (lost) return this.resumes ? 1 + RESUMES : 0;
    const unsent = error.status === "UNAVAILABLE" && error.sent === false;
    return unsent && !heard ? this.#policy.attempts : 0;
  }
}

/** What a call has said before it failed. */
export interface Said {
  readonly event?: ErrorEvent;
  readonly partial?: Message;
}

/** What a try failed with; undefined: it just ended. Throws what is final: what the caller did, or its own code threw. */
export function failureOf(
  thrown: unknown,
  attempts: Attempts,
  signal: AbortSignal | undefined,
  { event, partial }: Said = {},
): TrunklineError {
  if (signal?.aborted) throw stopped(signal.reason, { sent: attempts.made === 0 ? false : undefined, partial });
  if (thrown === undefined) return endedEarly(event, partial);
  if (!(thrown instanceof ConnectError)) throw thrown; // not of the wire
  return errorFrom(thrown, event, partial);
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
