/** What the service remembers of conversations: a cache of one replica. The conversation is the caller's. */
import { dateFrom } from "./events.js";
import type * as pb from "./gen/trunkline/v1/session_pb.js";
import { LineState } from "./gen/trunkline/v1/session_pb.js";
import type { Word } from "./reports.js";
import { enumWord } from "./reports.js";

export interface Session {
  readonly sessionId: string;
  /** It has an open line. */
  readonly live: boolean;
  readonly lineState: Word<"none" | "dialing" | "idle" | "busy">;
  readonly turns: number;
  readonly incrementalTurns: number;
  readonly bytesSaved: number;
  readonly createdAt?: Date;
  readonly lastUsedAt?: Date;
}

/** A page of the caller's sessions on one replica. `nextPageToken` is empty on the last one. */
export interface SessionPage {
  readonly sessions: readonly Session[];
  readonly nextPageToken: string;
  readonly replica: string;
}

export function sessionFrom(session: pb.Session | undefined): Session {
  return {
    sessionId: session?.sessionId ?? "",
    live: session?.live ?? false,
    lineState: enumWord(LineState, session?.lineState ?? 0),
    turns: Number(session?.turns ?? 0),
    incrementalTurns: Number(session?.incrementalTurns ?? 0),
    bytesSaved: Number(session?.bytesSaved ?? 0),
    createdAt: dateFrom(session?.createdAt),
    lastUsedAt: dateFrom(session?.lastUsedAt),
  };
}

export function pageFrom({ sessions, nextPageToken, replica }: pb.ListSessionsResponse): SessionPage {
  return { sessions: sessions.map(sessionFrom), nextPageToken, replica };
}
