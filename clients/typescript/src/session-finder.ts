/**
 * Finds the session of a conversation by its messages, for frameworks that send a whole history and name nothing.
 *
 * What they do keep is the model's last answer, so a history up to and including an answer names the session that gave
 * it:
 *
 *     [a]            session 1, a new one       answers A: [a A] names it
 *     [a A b]        session 1                  answers B: [a A b B] names it from now on, and [a A] nothing
 *     [a A c]        session 2, a new one       a fork: [a A] is an older point of session 1
 *     [a A b B d]    session 1; if another call with it comes before the answer: session 3
 *
 * So one call at a time continues the chain of a session. A wrong guess costs a full request, never content: the service
 * compares the messages with what the upstream knows.
 */
import type { Done } from "./events.js";
import type { Message, Part } from "./gen/trunkline/v1/message_pb.js";
import { Role } from "./gen/trunkline/v1/message_pb.js";
import { newId } from "./ids.js";

/** So many are remembered. Those are forgotten first whose last turn ended first. */
const MAX_SESSIONS = 1024;

interface KnownSession {
  readonly sessionId: string;
  readonly continuation: string;
}

/** A session that a call has taken. */
export interface FoundSession extends KnownSession {
  /** Lets later calls find the session. To be called in any case; undefined: the turn failed, or its caller left. */
  settle(done: Done | undefined): Promise<void>;
}

/** The sessions of one client. */
export class SessionFinder {
  readonly #maxSessions: number;
  /** By the digest of the history. Several, where conversations say the same; the ones that ended first come first. */
  readonly #known = new Map<string, KnownSession[]>();
  #size = 0;

  constructor(maxSessions = MAX_SESSIONS) {
    this.#maxSessions = maxSessions;
  }

  /** Takes the session that gave the last answer, or a new one. Where there is no Web Crypto, always a new one. */
  async take(messages: readonly Message[]): Promise<FoundSession> {
    const answered = messages.findLastIndex(({ role }) => role === Role.ASSISTANT);
    // A new session whose turn fails stands where it was asked: the same call once more finds it.
    const end = await digest(answered < 0 ? messages : messages.slice(0, answered + 1));
    const known = this.#take(end) ?? { sessionId: newId(), continuation: "" };
    const { sessionId, continuation } = known;
    const settle = async (done: Done | undefined) => {
      if (done === undefined) return this.#keep(end, known);
      this.#keep(await digest([...messages, done.message]), { sessionId, continuation: done.continuation || continuation });
    };
    return { sessionId, continuation, settle };
  }

  #take(end: string): KnownSession | undefined {
    const here = this.#known.get(end) ?? [];
    const known = here.pop();
    if (here.length === 0) this.#known.delete(end);
    if (known !== undefined) this.#size -= 1;
    return known;
  }

  #keep(end: string, session: KnownSession): void {
    if (end === "") return;
    const here = this.#known.get(end) ?? [];
    this.#known.delete(end);
    this.#known.set(end, [...here, session]);
    this.#size += 1;
    const [oldest] = this.#known.keys();
    if (this.#size > this.#maxSessions) this.#take(oldest!);
  }
}

/** Empty: this is a page that was not loaded over https, where browsers have no digests. */
async function digest(messages: readonly Message[]): Promise<string> {
  if (globalThis.crypto.subtle === undefined) return "";
  const said = messages.map(({ role, parts }) => [role, ...parts.flatMap(keptOf)]);
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(said)));
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What all frameworks keep: texts and the ids of calls. They drop thoughts, and items that they do not know. */
function keptOf({ part }: Part): string[] {
  switch (part.case) {
    case "text":
    case "refusal":
      return part.value.text === "" ? [] : [part.value.text];
    case "toolCall":
      return [part.value.callId];
    case "toolResult":
      return [part.value.callId, ...part.value.parts.flatMap(keptOf)];
    case "image":
    case "file":
      return [part.case];
    default:
      return [];
  }
}
