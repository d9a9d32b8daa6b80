/**
 * A conversation: its messages, and their rule. A turn that ends well adds what was asked and what was answered;
 * one that fails, or that the caller leaves, adds nothing. Every request carries all messages: what the service
 * remembers is never guessed here.
 */
import type { AttachOptions, CallOptions, Client } from "./client.js";
import type { Compaction } from "./compaction.js";
import type { Done } from "./events.js";
import type { Message, ToolCallPart } from "./gen/trunkline/v1/message_pb.js";
import { newId } from "./ids.js";
import type { Item } from "./items.js";
import { actionResult, answeredIn } from "./items.js";
import type { Input } from "./messages.js";
import { asMessages, toolCallsOf } from "./messages.js";
import type { Options } from "./options.js";
import { completionOptions } from "./options.js";
import { Run } from "./run.js";
import type { Session } from "./sessions.js";
import type { Tool } from "./tools.js";
import { merged } from "./tools.js";
import { Turn } from "./turn.js";

/** What a conversation is made of. Options are the defaults of its turns. */
export interface ConversationOptions extends Options {
  readonly model: string;
  /** 1 to 128 characters of [A-Za-z0-9_.:-]; by default one of its own, by chance. */
  readonly sessionId?: string;
  readonly instructions?: string;
  readonly tools?: readonly Tool[];
  /** What was said before. */
  readonly messages?: readonly Message[];
  /** That of an earlier conversation with these messages. */
  readonly continuation?: string;
}

/** One turn: its own options, on top of the conversation's. */
export interface TurnOptions<T = unknown> extends Options<T>, CallOptions, AttachOptions {}

/** A tool loop. The options hold for each of its turns, the timeout too; the signal stops all, a key names the first. */
export interface RunOptions<T = unknown> extends TurnOptions<T> {
  /** More tools, or other ones of the same names, from now on. */
  readonly tools?: readonly Tool[];
  /** At most this many turns: 32. */
  readonly maxRounds?: number;
}

/**
 * Keeps the messages, and what the model said as it said it, so that each next turn is incremental.
 *
 * Everything may be changed between turns. `messages` is yours to read and to edit: the next turn is then sent in
 * full, and its report says so. A turn that fails or is left leaves it as it was. `continuation` is the latest that
 * an answer brought, and goes with the next turn: kept beside the messages it lets another process go on from there.
 */
export class Conversation {
  readonly client: Client;
  readonly sessionId: string;
  model: string;
  instructions: string;
  tools: Tool[];
  messages: Message[];
  continuation: string;
  options: Options;
  #busy = false;

  /** @internal Use `client.conversation`. */
  constructor(client: Client, settings: ConversationOptions) {
    const { model, sessionId, instructions, tools, messages, continuation, ...options } = settings;
    this.client = client;
    this.sessionId = sessionId ?? newId();
    this.model = model;
    this.instructions = instructions ?? "";
    this.tools = [...(tools ?? [])];
    this.messages = [...(messages ?? [])];
    this.continuation = continuation ?? "";
    this.options = options;
  }

  /** One turn: all messages, then what is given, if anything. Sent when its first event is asked for. */
  stream<T = unknown>(input?: Input, options: TurnOptions<T> = {}): Turn<T> {
    const { signal, timeoutMs, requestId, turnKey, afterSequence, onBreak, ...changes } = options;
    const asked = asMessages(input);
    const { resume } = { ...this.options, ...changes };
    completionOptions({ ...this.options, ...changes }); // what is wrong shows here, not at the first read
    return this.client.turn(
      () => {
        const settle = this.#begin(asked);
        return { request: this.#request(asked, requestId, changes), settle };
      },
      { signal, timeoutMs, turnKey, afterSequence, onBreak, resume },
    );
  }

  /** The same turn in one piece. */
  async complete<T = unknown>(input?: Input, options: TurnOptions<T> = {}): Promise<Done<T>> {
    const { signal, timeoutMs, requestId, turnKey, ...changes } = options;
    const asked = asMessages(input);
    const request = this.#request(asked, requestId, changes);
    const settle = this.#begin(asked);
    let done: Done<T> | undefined;
    try {
      done = await this.client.complete({ ...request, turnKey, signal, timeoutMs });
      return done;
    } finally {
      settle(done);
    }
  }

  /** Calls the tools that the model asks for, turn after turn, until it stops asking: see `Run`. */
  run<T = unknown>(input?: Input, options: RunOptions<T> = {}): Run<T> {
    const { tools, maxRounds, ...turnOptions } = options;
    this.tools = merged(this.tools, tools ?? []);
    return new Run(this, input, maxRounds, turnOptions);
  }

  /** Sends what answers the last answer's actions (see `done.actions`), and goes on as `run` does. */
  answer<T = unknown>(items: Item | readonly Item[], options: RunOptions<T> = {}): Run<T> {
    return this.run(actionResult(...[items].flat()), options);
  }

  /** Shortens the conversation at the upstream: its messages become those of the result. Failed, it changes nothing. */
  async compact(options: CallOptions = {}): Promise<Compaction> {
    const { model, instructions, messages } = this;
    const { store, promptCacheKey, serviceTier } = this.options;
    const end = this.#open();
    try {
      const request = { model, instructions, messages, store, promptCacheKey, serviceTier };
      const compaction = await this.client.compact(this.sessionId, { ...request, ...options });
      messages.splice(0, messages.length, ...compaction.messages);
      return compaction;
    } finally {
      end();
    }
  }

  /** Opens the line before the first turn; unless `prime` is false, instructions and tools are sent ahead. */
  warm(options: { readonly prime?: boolean } & CallOptions = {}): Promise<Session> {
    const { model, instructions, tools } = this;
    return this.client.warmSession(this.sessionId, { model, instructions, tools, prime: true, ...options });
  }

  /** Lets the service forget the session. The conversation itself is kept here and can go on. */
  release(options: CallOptions = {}): Promise<void> {
    return this.client.releaseSession(this.sessionId, options);
  }

  /** The calls of the last answer that no message, and no item beside them, has answered yet. */
  openCalls(): ToolCallPart[] {
    const answered = new Set<string>();
    for (const message of this.messages.toReversed()) {
      for (const callId of answeredIn(message)) answered.add(callId);
      const calls = toolCallsOf(message);
      if (calls.length > 0) return calls.filter(({ callId }) => !answered.has(callId));
    }
    return [];
  }

  /** The conversation's own format, where a turn names none, is of an unknown type: nobody then says what T is. */
  #request<T>(asked: readonly Message[], requestId: string | undefined, changes: Options<T>) {
    const { sessionId, model, instructions, tools, continuation } = this;
    const messages = [...this.messages, ...asked];
    const options = { ...this.options, ...changes } as Options<T>;
    return { sessionId, model, instructions, tools, messages, continuation, requestId, ...options };
  }

  #begin(asked: readonly Message[]): (done: Done | undefined) => void {
    const end = this.#open();
    return (done) => {
      end();
      if (done === undefined) return;
      this.messages.push(...asked, done.message);
      this.continuation = done.continuation || this.continuation;
    };
  }

  /** Opens a turn. Two answers to one history cannot both be its next message. */
  #open(): () => void {
    if (this.#busy) throw new Error("a turn of this conversation is still open: read it to its end, or leave it");
    this.#busy = true;
    return () => {
      this.#busy = false;
    };
  }
}
