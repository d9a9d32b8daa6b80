/** A compacted conversation. */
import type { CallOptions } from "./client.js";
import type * as pb from "./gen/trunkline/v1/completion_pb.js";
import { dateFrom } from "./events.js";
import type { Message } from "./gen/trunkline/v1/message_pb.js";
import type { Options } from "./options.js";
import type { Usage } from "./reports.js";
import { usageFrom } from "./reports.js";

/** A conversation that is to be shortened. */
export interface CompactRequest extends CallOptions, Pick<Options, "store" | "promptCacheKey" | "serviceTier"> {
  readonly model: string;
  /** The whole conversation, oldest first. */
  readonly messages: readonly Message[];
  /** As for a turn: they are no part of what is compacted. */
  readonly instructions?: string;
}

/** What the upstream made of a conversation. */
export interface Compaction {
  /**
   * They replace all messages of the request, unchanged: some of them, and an item of type "compaction" that
   * stands for the rest.
   */
  readonly messages: readonly Message[];
  readonly usage: Usage;
  /** The upstream's id of the compaction. */
  readonly responseId: string;
  readonly provider: string;
  readonly createdAt?: Date;
}

export function compactionFrom({ messages, usage, responseId, provider, createdAt }: pb.CompactResponse): Compaction {
  return { messages, usage: usageFrom(usage), responseId, provider, createdAt: dateFrom(createdAt) };
}
