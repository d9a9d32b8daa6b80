/** What a call fails with → the AI SDK's error. */
import { APICallError } from "@ai-sdk/provider";
import { STATUSES, TrunklineError } from "../errors.js";

/** The HTTP status that google.rpc.Code gives for each status, by its number. */
const HTTP = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];

/**
 * The reason of the signal where that stopped the call; an `APICallError` where the call failed.
 *
 * The framework tries again what `isRetryable` says. That may cost nothing twice: so only a request that did not reach
 * the model, or that its rate limit refused.
 */
export function failureOf(error: unknown, signal: AbortSignal | undefined, requestBodyValues: object): unknown {
  if (signal?.aborted) return signal.reason;
  if (!(error instanceof TrunklineError)) return error;
  const { message, status, reason, sent, partial, retryAfterMs, metadata } = error;
  const isRefused = reason === "RATE_LIMITED" && !partial?.parts.length;
  return new APICallError({
    message,
    url: "trunkline.v1.CompletionService/StreamCompletion",
    requestBodyValues,
    statusCode: HTTP[STATUSES.indexOf(status)],
    responseHeaders: retryAfterMs === undefined ? undefined : { "retry-after-ms": String(retryAfterMs) },
    isRetryable: error.retryable && (sent === false || isRefused),
    data: { reason, ...metadata },
    cause: error,
  });
}
