/**
 * What a reload of the page must not lose, in the storage of its tab: the conversation, and the turn that runs. The
 * service keeps that turn for a while, so the page can read it again from its first event on.
 */
import { fromJson, toJson } from "@bufbuild/protobuf";
import type { JsonValue } from "@bufbuild/protobuf";
import type { Message, Report } from "trunkline/web";
import { MessageSchema } from "trunkline/web";

const STORED = "trunkline.chat";

/** How an answer ended, beside its message. */
export interface End {
  readonly report: Report;
  readonly stopReason: string;
}

/** A run that has not ended. */
export interface Running {
  /** What its turn adds to the conversation when it ends well. */
  readonly asked?: Message;
  /** The key of its turn; undefined: that was not sent yet. */
  readonly turnKey?: string;
  /** When it was kept, as of `Date.now()`. */
  readonly at: number;
}

export interface Chat {
  /** All settings as one text: what was said with other ones is another chat. */
  readonly settings: string;
  readonly sessionId: string;
  readonly continuation: string;
  /** The bytes that were saved. */
  readonly saved: number;
  /** The messages, each answer with its end. */
  readonly said: readonly (readonly [Message, End?])[];
  readonly running?: Running;
}

/** Keeps it; nothing: forgets what was kept. A chat that is too large for the browser is not kept. */
export function keep(chat?: Chat): void {
  sessionStorage.removeItem(STORED);
  if (chat === undefined) return;
  try {
    sessionStorage.setItem(STORED, written(chat));
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
  }
}

/** What was kept with these settings. */
export function kept(settings: string): Chat | undefined {
  const chat = read(sessionStorage.getItem(STORED) ?? "null");
  return chat?.settings === settings ? chat : undefined;
}

export function written({ said, running, ...chat }: Chat): string {
  const asked = running?.asked && toJson(MessageSchema, running.asked);
  return JSON.stringify({
    ...chat,
    said: said.map(([message, end]) => [toJson(MessageSchema, message), end]),
    running: running && { ...running, asked },
  });
}

/** Undefined: it is nothing that this version of the page has written. */
export function read(text: string): Chat | undefined {
  try {
    const { said, running, ...chat } = JSON.parse(text) as Chat;
    const asked = running?.asked && messageOf(running.asked);
    return {
      ...chat,
      said: said.map(([message, end]) => [messageOf(message), end ?? undefined]),
      running: running && { ...running, asked },
    };
  } catch {
    return undefined;
  }
}

function messageOf(json: unknown): Message {
  return fromJson(MessageSchema, json as JsonValue);
}
