/**
 * What a turn cost and how it ran, read from the wire: words in lower case, times in milliseconds, counts as
 * numbers (none comes near 2^53). A value that is newer than this client comes through as it is.
 */
import type { Duration } from "@bufbuild/protobuf/wkt";
import type * as pb from "./gen/trunkline/v1/completion_pb.js";
import { Context, Transport } from "./gen/trunkline/v1/completion_pb.js";

/** A word of an open set: the ones that are known, for completion, or any other. */
export type Word<Known extends string> = Known | (string & {});

/** Tokens. Cached and cache-write tokens are part of input, reasoning tokens of output. */
export interface Usage {
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
  readonly outputTokens: number;
  readonly reasoningTokens: number;
  readonly totalTokens: number;
  /** The upstream's usage as it wrote it. */
  readonly detailsJson: string;
}

/** How long each phase took; undefined: it did not happen. The last three count from the start of the turn. */
export interface Timings {
  readonly queueMs?: number;
  readonly connectMs?: number;
  readonly firstEventMs?: number;
  readonly firstContentMs?: number;
  readonly totalMs?: number;
}

/** How a turn ran, and why so. */
export interface Report {
  readonly responseId: string;
  readonly transport: Word<"websocket" | "sse">;
  readonly transportReason: Word<"preferred" | "requested" | "too_big" | "pool_full" | "connect_failed" | "cooldown">;
  /** "incremental": only what the upstream had not seen yet was sent. */
  readonly context: Word<"full" | "incremental">;
  readonly contextReason: Word<"continued" | "primed" | "first_turn" | "history_edited" | "new_connection" | "fork">;
  /** Requests written upstream. More than one: the turn was replayed before content. */
  readonly attempts: number;
  /** The line was open before the turn. */
  readonly connectionReused: boolean;
  readonly timings: Timings;
  readonly bytesSent: number;
  readonly bytesSaved: number;
  /** Events of the upstream that were skipped: how many of each type. */
  readonly ignoredEvents: Readonly<Record<string, number>>;
  /** This call did not start the turn: it joined one that its key names. */
  readonly attached: boolean;
  /** The name of the upstream that answered; empty: the only one. */
  readonly upstream: string;
  /** Why it was that one: `preferred`, `connect_failed`, …; empty: it is the only one. */
  readonly upstreamReason: string;
}

/** `Transport.SSE` → "sse"; unspecified → ""; a number that this client does not know → its digits. */
export function enumWord(names: Record<number, string>, value: number): string {
  const word = names[value]?.toLowerCase() ?? String(value);
  return word === "unspecified" ? "" : word;
}

export function milliseconds(duration: Duration | undefined): number | undefined {
  return duration && Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

export function usageFrom(usage: pb.Usage | undefined): Usage {
  return {
    inputTokens: Number(usage?.inputTokens ?? 0),
    cachedInputTokens: Number(usage?.cachedInputTokens ?? 0),
    cacheWriteTokens: Number(usage?.cacheWriteTokens ?? 0),
    outputTokens: Number(usage?.outputTokens ?? 0),
    reasoningTokens: Number(usage?.reasoningTokens ?? 0),
    totalTokens: Number(usage?.totalTokens ?? 0),
    detailsJson: usage?.detailsJson ?? "",
  };
}

export function reportFrom(report: pb.TurnReport | undefined): Report {
  return {
    responseId: report?.responseId ?? "",
    transport: enumWord(Transport, report?.transport ?? 0),
    transportReason: report?.transportReason ?? "",
    context: enumWord(Context, report?.context ?? 0),
    contextReason: report?.contextReason ?? "",
    attempts: report?.attempts ?? 0,
    connectionReused: report?.connectionReused ?? false,
    timings: timingsFrom(report?.timings),
    bytesSent: Number(report?.bytesSent ?? 0),
    bytesSaved: Number(report?.bytesSaved ?? 0),
    ignoredEvents: { ...report?.ignoredEvents },
    attached: report?.attached ?? false,
    upstream: report?.upstream ?? "",
    upstreamReason: report?.upstreamReason ?? "",
  };
}

function timingsFrom(timings: pb.Timings | undefined): Timings {
  return {
    queueMs: milliseconds(timings?.queue),
    connectMs: milliseconds(timings?.connect),
    firstEventMs: milliseconds(timings?.firstEvent),
    firstContentMs: milliseconds(timings?.firstContent),
    totalMs: milliseconds(timings?.total),
  };
}
