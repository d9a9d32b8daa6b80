/**
 * The errors that a call throws: `TrunklineError`, and a class for each kind of failure. Reasons are an open set:
 * one that is not in the tables below is a `TrunklineError` itself.
 */
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
  override readonly name: string = "TrunklineError";

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

/** The service or the upstream refuses the request. `violations` names the fields: correct them. */
export class InvalidRequestError extends TrunklineError {
  override readonly name: string = "InvalidRequestError";
}

/** The conversation does not fit the model. Shorten it: `conversation.compact` does. */
export class ContextLengthError extends InvalidRequestError {
  override readonly name: string = "ContextLengthError";
}

/** The service does not know the caller. Correct the token or the key. */
export class AuthenticationError extends TrunklineError {
  override readonly name: string = "AuthenticationError";
}

/** The caller may not do this: use this model, or bring a key. */
export class PermissionDeniedError extends TrunklineError {
  override readonly name: string = "PermissionDeniedError";
}

/** The replica has no such session or turn. */
export class NotFoundError extends TrunklineError {
  override readonly name: string = "NotFoundError";
}

/** A rate limit of the upstream. Try again after `retryAfterMs`. */
export class RateLimitError extends TrunklineError {
  override readonly name: string = "RateLimitError";
}

/** The upstream's quota is used up, or its bill is not paid. Do not try again. */
export class QuotaError extends TrunklineError {
  override readonly name: string = "QuotaError";
}

/** A limit of the service. Try again after `retryAfterMs`. */
export class OverloadedError extends TrunklineError {
  override readonly name: string = "OverloadedError";
}

/** The service or its upstream was not reached, or was lost. `sent` says whether a try may cost twice. */
export class ConnectionFailedError extends TrunklineError {
  override readonly name: string = "ConnectionFailedError";
}

/** The time was up: the caller's own, or one of the service's waits, which the message names. */
export class TimedOutError extends TrunklineError {
  override readonly name: string = "TimedOutError";
}

/** The upstream failed, refuses the service's key, or gave an invalid answer. `upstream` has its words. */
export class UpstreamError extends TrunklineError {
  override readonly name: string = "UpstreamError";
}

/** A bug of the service. Its log has the details. */
export class InternalError extends TrunklineError {
  override readonly name: string = "InternalError";
}

/** The turn was stopped: by `cancel()`, by a signal, by `cancelTurn`, or since nobody read it. */
export class TurnCancelledError extends TrunklineError {
  override readonly name: string = "TurnCancelledError";
}

/** A newer call with the same turn key reads the turn now. */
export class TakenOverError extends TrunklineError {
  override readonly name: string = "TakenOverError";
}

/** The model refused to answer in the format that was asked for; the message is what it said. Thrown by `done.parsed`. */
export class RefusalError extends TrunklineError {
  override readonly name: string = "RefusalError";
}

/**
 * The answer does not fit the format that was asked for. Thrown by `done.parsed`: the turn itself ended well, and is
 * part of its conversation; `partial` is the answer, `cause` what the parser threw.
 */
export class OutputError extends TrunklineError {
  override readonly name: string = "OutputError";
}

type ErrorClass = typeof TrunklineError;

/** @internal The class of each reason that the service reports. */
export const CLASSES: Readonly<Record<string, ErrorClass>> = {
  INVALID_REQUEST: InvalidRequestError,
  MESSAGE_TOO_BIG: InvalidRequestError,
  CONTEXT_LENGTH_EXCEEDED: ContextLengthError,
  UNAUTHENTICATED: AuthenticationError,
  PERMISSION_DENIED: PermissionDeniedError,
  SESSION_NOT_FOUND: NotFoundError,
  TURN_NOT_FOUND: NotFoundError,
  RATE_LIMITED: RateLimitError,
  QUOTA_EXHAUSTED: QuotaError,
  OVERLOADED: OverloadedError,
  CONNECT_FAILED: ConnectionFailedError,
  CONNECTION_LOST: ConnectionFailedError,
  INTERRUPTED: ConnectionFailedError,
  SHUTTING_DOWN: ConnectionFailedError,
  TIMEOUT: TimedOutError,
  UPSTREAM_AUTH: UpstreamError,
  UPSTREAM_ERROR: UpstreamError,
  PROTOCOL_ERROR: UpstreamError,
  INTERNAL: InternalError,
  CANCELLED: TurnCancelledError,
  TAKEN_OVER: TakenOverError,
};

/** @internal The class of a status that comes alone: from gRPC itself, from a proxy, or from this client. */
export const BARE: Readonly<Partial<Record<Status, ErrorClass>>> = {
  OK: ConnectionFailedError,
  UNKNOWN: ConnectionFailedError,
  INTERNAL: ConnectionFailedError,
  UNAVAILABLE: ConnectionFailedError,
  DEADLINE_EXCEEDED: TimedOutError,
  CANCELLED: TurnCancelledError,
  UNAUTHENTICATED: AuthenticationError,
  PERMISSION_DENIED: PermissionDeniedError,
};

/** @internal A failure, as an error of its class. */
export function failed(reason: string, message: string, failure: Failure): TrunklineError {
  const found = failure.reported ? Object.hasOwn(CLASSES, reason) && CLASSES[reason] : BARE[failure.status];
  return new (found || TrunklineError)(reason, message, failure);
}
