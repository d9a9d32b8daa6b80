/** The one error that a call throws. Reasons are an open set: nothing here lists them. */
import type { Message } from "./gen/trunkline/v1/message_pb.js";
import type { Report, Usage } from "./reports.js";

/** The names of the gRPC statuses; the index is the number. */
export const STATUSES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

export type Status = (typeof STATUSES)[number];

/** What the upstream said. `status` is of HTTP, or the close code of the WebSocket; 0: none. */
export interface Upstream {
  readonly code: string;
  readonly type: string;
  readonly status: number;
  readonly requestId: string;
}

/** One thing that is wrong with the request: the path of the field, and what to do. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** What is known of a failure. */
export interface Failure {
  readonly status: Status;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly sent?: boolean;
  readonly partial?: Message;
  readonly upstream?: Upstream;
  readonly usage?: Usage;
  readonly report?: Report;
  readonly violations?: readonly Violation[];
  readonly metadata?: Readonly<Record<string, string>>;
  readonly reported?: boolean;
  readonly cause?: unknown;
}

/** A call failed. Thrown once, with everything that is known. */
export class TrunklineError extends Error {
  override readonly name = "TrunklineError";

  /**
   * One of docs/protocol.md, or, where the failure is not the service's own, the name of the gRPC status
   * ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED").
   */
  readonly reason: string;
  /** What happened, for people; `message` has the reason in front of it. */
  readonly rawMessage: string;
  /** The name of the gRPC status. */
  readonly status: Status;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** When to try again, where that is known. */
  readonly retryAfterMs?: number;
  /**
   * Whether the request reached the upstream, so whether another try may cost money twice. Undefined: nobody
   * knows.
   */
  readonly sent?: boolean;
  /** The answer as far as it came. */
  readonly partial?: Message;
  readonly upstream?: Upstream;
  readonly usage?: Usage;
  readonly report?: Report;
  readonly violations: readonly Violation[];
  /** ErrorInfo's own, for what has no name here. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The service itself reported it. Otherwise the connection broke, a proxy answered, or the time was up. */
  readonly reported: boolean;

  constructor(reason: string, message: string, failure: Failure) {
    super(message ? `${reason}: ${message}` : reason, "cause" in failure ? { cause: failure.cause } : undefined);
    this.reason = reason;
    this.rawMessage = message;
    this.status = failure.status;
    this.retryable = failure.retryable ?? false;
    this.retryAfterMs = failure.retryAfterMs;
    this.sent = failure.sent;
    this.partial = failure.partial;
    this.upstream = failure.upstream;
    this.usage = failure.usage;
    this.report = failure.report;
    this.violations = failure.violations ?? [];
    this.metadata = failure.metadata ?? {};
    this.reported = failure.reported ?? false;
  }
}
