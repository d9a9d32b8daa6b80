/** What the service remembers of conversations: a cache of one replica. The conversation is the caller's. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { dateFrom } from "./events.js";
import type * as pb from "./gen/trunkline/v1/session_pb.js";
import type { CancelTurnRequestSchema } from "./gen/trunkline/v1/session_pb.js";
import { LineState } from "./gen/trunkline/v1/session_pb.js";
import type { Word } from "./reports.js";
import { enumWord } from "./reports.js";

/** A turn that runs, or that has ended and is kept for its caller. */
export interface RunningTurn {
  /** Empty: it waits for a place. */
  readonly turnId: string;
  /** Empty: it has none. */
  readonly turnKey: string;
  readonly startedAt?: Date;
  /** It has a reader. */
  readonly attached: boolean;
  readonly ended: boolean;
  /** The number of its last event. */
  readonly lastSequence: number;
}

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
  /** In the order in which they began. */
  readonly runningTurns: readonly RunningTurn[];
}

/** A turn of a session, by the service's id of it or by its key. */
export type TurnName =
  | { readonly turnId: string; readonly turnKey?: undefined }
  | { readonly turnKey: string; readonly turnId?: undefined };

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
    runningTurns: (session?.runningTurns ?? []).map(runningFrom),
  };
}

function runningFrom({ turnId, turnKey, startedAt, attached, ended, lastSequence }: pb.SessionTurn): RunningTurn {
  return { turnId, turnKey, startedAt: dateFrom(startedAt), attached, ended, lastSequence: Number(lastSequence) };
}

export function cancelRequest(sessionId: string, { turnId, turnKey }: TurnName): MessageInitShape<typeof CancelTurnRequestSchema> {
  if (Boolean(turnId) === Boolean(turnKey)) throw new TypeError("cancelTurn: give either turnId or turnKey");
  const turn = turnId ? { case: "turnId" as const, value: turnId } : { case: "turnKey" as const, value: turnKey! };
  return { sessionId, turn };
}

export function pageFrom({ sessions, nextPageToken, replica }: pb.ListSessionsResponse): SessionPage {
  return { sessions: sessions.map(sessionFrom), nextPageToken, replica };
}
