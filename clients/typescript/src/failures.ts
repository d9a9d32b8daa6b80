/**
 * Turns a failed call into a `TrunklineError` of its class.
 *
 * Reads the status, its details, and the `error` event if there was one. Where they disagree the event wins, since it
 * carries more. Unknown details, and those that a proxy made up, are ignored.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { Status, TrunklineError, Upstream } from "./errors.js";
import { failed, STATUSES } from "./errors.js";
import type { ErrorInfo } from "./gen/google/rpc/error_details_pb.js";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";
import type * as pb from "./gen/trunkline/v1/completion_pb.js";
import { ErrorSchema } from "./gen/trunkline/v1/completion_pb.js";
import type { Message } from "./gen/trunkline/v1/message_pb.js";
import { milliseconds, reportFrom, usageFrom } from "./reports.js";

const DOMAIN = "trunkline";

/** `partial` is what the client has gathered; what the service reports takes precedence. */
export function errorFrom(thrown: unknown, event?: pb.Error, partial?: Message, known?: Status): TrunklineError {
  const error = ConnectError.from(thrown);
  // Other domains may use the same reasons.
  const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === DOMAIN);
  const retry = error.findDetails(RetryInfoSchema)[0];
  const reported = event ?? error.findDetails(ErrorSchema)[0];
  const status = known ?? statusOf(error);
  return failed(reported?.reason || info?.reason || status, reported?.message || error.rawMessage, {
    status,
    // Where the status came alone, UNAVAILABLE and RetryInfo are its two ways to invite another try.
    retryable: reported?.reason
      ? reported.retryable
      : info !== undefined && (status === "UNAVAILABLE" || retry !== undefined),
    retryAfterMs: milliseconds(reported?.retryAfter ?? retry?.retryDelay),
    sent: wasSent(status, info, event),
    partial: reported?.partial ?? partial,
    upstream: upstreamOf(reported, info),
    usage: reported?.usage && usageFrom(reported.usage),
    report: reported?.report && reportFrom(reported.report),
    violations: error
      .findDetails(BadRequestSchema)
      .flatMap((bad) => bad.fieldViolations.map(({ field, description }) => ({ field, description }))),
    metadata: { ...info?.metadata },
    reported: info !== undefined || reported !== undefined,
    cause: thrown,
  });
}

/** The caller left: by `cancel()`, or by a signal of its own, which may be that of a timeout. */
export function stopped(cause: unknown, failure: { sent?: boolean; partial?: Message }): TrunklineError {
  const timedOut = cause instanceof Error && cause.name === "TimeoutError";
  const status = timedOut ? "DEADLINE_EXCEEDED" : "CANCELLED";
  return failed(status, cause instanceof Error ? cause.message : String(cause), {
    ...failure,
    status,
    cause,
  });
}

/** The stream ended without an error, and without what must stand at its end. */
export function endedEarly(event: pb.Error | undefined, partial: Message | undefined): TrunklineError {
  if (event !== undefined) return errorFrom(new ConnectError(""), event, partial, "OK");
  return failed("PROTOCOL_ERROR", "the stream ended without `done`", { status: "OK", partial });
}

/**
 * The name of the status. Where nobody sent one the connection broke: for that each platform has codes of its
 * own and gRPC one, a bare UNAVAILABLE, whose outcome is unknown.
 */
function statusOf(error: ConnectError): Status {
  const broken = BROKEN.has(error.code) || (error.code === Code.Internal && isSystemError(error.cause));
  return broken && !error.metadata.has("grpc-status") ? "UNAVAILABLE" : (STATUSES[error.code] ?? "UNKNOWN");
}

/** INVALID_ARGUMENT: a message that ends in its middle. */
const BROKEN = new Set([Code.Canceled, Code.Aborted, Code.InvalidArgument, Code.Unknown]);

/** Node's own errors, of sockets and of HTTP/2, have a `code`. */
function isSystemError(cause: unknown): boolean {
  return cause instanceof Error && ("code" in cause || isSystemError(cause.cause));
}

function wasSent(status: Status, info: ErrorInfo | undefined, event: pb.Error | undefined): boolean | undefined {
  const said = info?.metadata["sent"];
  if (said === "true" || said === "false") return said === "true";
  if (event !== undefined) return true; // it comes once a turn is dispatched, and only then
  return info !== undefined && status === "UNAVAILABLE" ? false : undefined;
}

function upstreamOf(reported: pb.Error | undefined, info: ErrorInfo | undefined): Upstream | undefined {
  if (reported?.upstream !== undefined) {
    const { code, type, status, requestId } = reported.upstream;
    return { code, type, status, requestId };
  }
  const said = info?.metadata ?? {};
  const upstream = {
    code: said["upstream_code"] ?? "",
    type: said["upstream_type"] ?? "",
    status: Number.parseInt(said["upstream_status"] ?? "", 10) || 0,
    requestId: said["upstream_request_id"] ?? "",
  };
  return Object.values(upstream).some(Boolean) ? upstream : undefined;
}
