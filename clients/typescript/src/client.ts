/** The client: the calls, their metadata, and the retrying of unary ones. The transport is chosen by `connect`. */
import type { Client as Stub, Transport } from "@connectrpc/connect";
import { createClient } from "@connectrpc/connect";
import type { Compaction, CompactRequest } from "./compaction.js";
import { compactionFrom } from "./compaction.js";
import type { ConversationOptions } from "./conversation.js";
import { Conversation } from "./conversation.js";
import type { Done } from "./events.js";
import type { TrunklineError } from "./errors.js";
import { doneFrom } from "./events.js";
import { CompletionService } from "./gen/trunkline/v1/completion_pb.js";
import type { Message } from "./gen/trunkline/v1/message_pb.js";
import { newId } from "./ids.js";
import { Lingering } from "./lingering.js";
import { SessionService } from "./gen/trunkline/v1/session_pb.js";
import type { Options } from "./options.js";
import { completionOptions } from "./options.js";
import type { Retry } from "./retry.js";
import { Attempts, failureOf, sleep } from "./retry.js";
import type { Session, SessionPage, TurnName } from "./sessions.js";
import { cancelRequest, pageFrom, sessionFrom } from "./sessions.js";
import type { Tool } from "./tools.js";
import { toolProto } from "./tools.js";
import { Turn } from "./turn.js";

/** So many in a row say that a connection is broken. */
const MISSED_HEARTBEATS = 3;

/** What every call takes. */
export interface CallOptions {
  /** Stops the call. */
  readonly signal?: AbortSignal;
  /** Of the whole call, retries included; by default the client's. */
  readonly timeoutMs?: number;
  /** Your own id of the call: in logs, spans and errors. At most 128 characters. */
  readonly requestId?: string;
}

/** One turn, all of it given. */
export interface TurnRequest<T = unknown> extends Options<T> {
  readonly sessionId: string;
  readonly model: string;
  /** The whole conversation, oldest first. */
  readonly messages: readonly Message[];
  readonly instructions?: string;
  readonly tools?: readonly Tool[];
  /** That of the conversation's latest `Done`. A hint: one that does not fit costs a full turn and nothing else. */
  readonly continuation?: string;
}

/** How a turn is found again by another call. */
export interface AttachOptions {
  /** Names the turn, unique in the session. With the key of a turn that runs, or is kept, no other one begins. */
  readonly turnKey?: string;
  /** With a turn key: the number of the last event that you have (`turn.sequence`). The next one comes first. */
  readonly afterSequence?: number;
  /** Called with the error where the call is about to be made again, and with nothing when the turn goes on. */
  readonly onBreak?: (error?: TrunklineError) => void;
}

/** How calls are made, over whichever transport. */
export interface ClientOptions {
  /** Goes as `authorization: Bearer …`. A function is asked before each try: a token may have been renewed. */
  readonly token?: string | (() => string | Promise<string>);
  /** Of a whole call, retries included, unless the call says otherwise. By default there is none. */
  readonly timeoutMs?: number;
  readonly retry?: Retry;
  /** Writes the caller's trace (W3C `traceparent`) into the headers of a call. Called before each try. */
  readonly propagate?: (headers: Headers) => void | Promise<void>;
}

/** @internal What a turn needs before it can be sent. */
export interface Prepared<T = unknown> {
  readonly request: TurnRequest<T> & AttachOptions & { readonly requestId?: string };
  readonly settle?: (done: Done<T> | undefined) => void;
}

/** The client of one Trunkline service. Make one with `connect` and keep it: its calls share a connection. */
export class Client {
  readonly #completions: Stub<typeof CompletionService>;
  readonly #sessions: Stub<typeof SessionService>;
  readonly #options: ClientOptions;
  readonly #close: () => void;
  readonly #lingering = new Lingering((sessionId, turn) => this.cancelTurn(sessionId, turn));

  /** For transports other than those of `connect`. */
  constructor(transport: Transport, options: ClientOptions = {}, close: () => void = () => undefined) {
    this.#completions = createClient(CompletionService, transport);
    this.#sessions = createClient(SessionService, transport);
    this.#options = options;
    this.#close = close;
  }

  /**
   * In Node: ends the running calls and the connection; used again, the client reconnects. At once, unless turns
   * run that would go on without their caller: the service stops them first.
   */
  async close(): Promise<void> {
    const stops = this.#lingering.cancelAll();
    if (stops.length > 0) await Promise.all(stops);
    this.#close();
  }

  /** A conversation that keeps its messages. */
  conversation(options: ConversationOptions): Conversation {
    return new Conversation(this, options);
  }

  /** One turn, all of it given; nothing is kept. A conversation does this for you. */
  stream<T = unknown>(turn: TurnRequest<T> & CallOptions & AttachOptions): Turn<T> {
    const { signal, timeoutMs, turnKey, afterSequence, onBreak, ...request } = turn;
    completionOptions(request); // what is wrong shows here, not at the first read
    const { resume } = request;
    return this.turn(() => ({ request }), { signal, timeoutMs, turnKey, afterSequence, onBreak, resume });
  }

  /** The same turn in one piece. */
  async complete<T = unknown>(turn: TurnRequest<T> & CallOptions & Pick<AttachOptions, "turnKey">): Promise<Done<T>> {
    const { signal, timeoutMs, ...request } = turn;
    const { sessionId, resume = false } = request;
    const turnKey = keyOf(request);
    const message = turnRequest({ ...request, turnKey });
    const call = (signal: AbortSignal | undefined) =>
      this.#unary(sessionId, { signal, timeoutMs }, (options) => this.#completions.complete(message, options), resume);
    const done = await (resume ? this.#lingering.call(sessionId, { turnKey }, signal, call) : call(signal));
    return doneFrom(done, request.textFormat);
  }

  /** Shortens a conversation at the upstream: the messages of the result replace the given ones. */
  async compact(sessionId: string, request: CompactRequest): Promise<Compaction> {
    const { signal, timeoutMs, messages, ...named } = request;
    const message = { ...named, sessionId, messages: [...messages] };
    const call = { signal, timeoutMs };
    return compactionFrom(await this.#unary(sessionId, call, (options) => this.#completions.compact(message, options)));
  }

  /** Opens the line before the first turn; `prime` also sends model, instructions and tools ahead. */
  async warmSession(
    sessionId: string,
    options: Partial<Pick<TurnRequest, "model" | "instructions" | "tools">> & { prime?: boolean } & CallOptions = {},
  ): Promise<Session> {
    const { model, instructions, prime } = options;
    const request = { sessionId, model, instructions, prime, tools: options.tools?.map(toolProto) };
    const { session } = await this.#unary(sessionId, options, (call) => this.#sessions.warmSession(request, call));
    return sessionFrom(session);
  }

  /** What the service remembers. Unknown: `NotFoundError`. */
  async getSession(sessionId: string, options: CallOptions = {}): Promise<Session> {
    const { session } = await this.#unary(sessionId, options, (call) => this.#sessions.getSession({ sessionId }, call));
    return sessionFrom(session);
  }

  /** One page of the caller's sessions on the replica that answers. `sessions` reads all pages. */
  async listSessions(options: { pageSize?: number; pageToken?: string } & CallOptions = {}): Promise<SessionPage> {
    const { pageSize, pageToken } = options;
    return pageFrom(await this.#unary("", options, (call) => this.#sessions.listSessions({ pageSize, pageToken }, call)));
  }

  /** All of the caller's sessions on the replica that answers, page after page. */
  async *sessions(options: { pageSize?: number } & CallOptions = {}): AsyncGenerator<Session, void, void> {
    for (let pageToken: string | undefined; pageToken !== ""; ) {
      const page = await this.listSessions({ ...options, pageToken });
      yield* page.sessions;
      pageToken = page.nextPageToken;
    }
  }

  /** Lets the service forget a session and close its line. Unknown: nothing happens. */
  async releaseSession(sessionId: string, options: CallOptions = {}): Promise<void> {
    await this.#unary(sessionId, options, (call) => this.#sessions.releaseSession({ sessionId }, call));
  }

  /** Stops a turn, whether or not anyone reads it. Unknown: `NotFoundError`. */
  async cancelTurn(sessionId: string, options: TurnName & CallOptions): Promise<void> {
    const request = cancelRequest(sessionId, options);
    await this.#unary(sessionId, options, (call) => this.#sessions.cancelTurn(request, call));
  }

  /** @internal A turn whose request is put together when it is first read. */
  turn<T>(prepare: () => Prepared<T>, options: CallOptions & AttachOptions & Pick<Options, "resume">): Turn<T> {
    const { signal, timeoutMs, resume, ...attach } = options;
    const turnKey = keyOf(options);
    const ask = () => {
      const { request, settle } = prepare();
      const message = turnRequest({ ...request, turnKey, resume });
      const remove = resume ? this.#lingering.add((reason) => turn.cancel(reason)) : undefined;
      return {
        format: request.textFormat,
        settle: (done: Done<T> | undefined) => {
          remove?.();
          settle?.(done);
        },
        silenceMs: resume && request.heartbeatMs ? MISSED_HEARTBEATS * request.heartbeatMs : undefined,
        stop: (turn: TurnName) => this.#lingering.stop(request.sessionId, turn),
        open: async (signal: AbortSignal, timeoutMs: number | undefined, after: number) => {
          const headers = await this.#headers(request.sessionId);
          const next = { ...message, afterSequence: BigInt(after) };
          return this.#completions.streamCompletion(next, { signal, timeoutMs, headers });
        },
      };
    };
    const turn = new Turn(ask, this.#attempts(timeoutMs, resume), signal, { ...attach, turnKey });
    return turn;
  }

  async #unary<T>(
    sessionId: string,
    { signal, timeoutMs }: CallOptions,
    call: (options: { signal?: AbortSignal; timeoutMs?: number; headers: Headers }) => Promise<T>,
    resume = false,
  ): Promise<T> {
    const attempts = this.#attempts(timeoutMs, resume);
    for (;;) {
      try {
        if (signal?.aborted) throw signal.reason;
        const headers = await this.#headers(sessionId);
        return await call({ signal, timeoutMs: attempts.begin(), headers });
      } catch (thrown) {
        const error = failureOf(thrown, attempts, signal);
        const delay = attempts.delay(error);
        if (delay === undefined) throw attempts.verdict(error);
        await sleep(delay, signal);
      }
    }
  }

  #attempts(timeoutMs: number | undefined, resumes = false): Attempts {
    return new Attempts(this.#options.retry ?? {}, timeoutMs ?? this.#options.timeoutMs, resumes);
  }

  async #headers(sessionId: string): Promise<Headers> {
    const { token, propagate } = this.#options;
    const headers = new Headers();
    await propagate?.(headers);
    const bearer = typeof token === "function" ? await token() : token;
    if (bearer) headers.set("authorization", `Bearer ${bearer}`);
    // For the load balancer. A bad id would fail here; the service names the field.
    if (/^[ -~]+$/.test(sessionId)) headers.set("x-session-id", sessionId);
    return headers;
  }
}

/** A turn that is to be resumed gets a key, where the caller gave none. */
function keyOf({ turnKey = "", resume }: Pick<AttachOptions, "turnKey"> & Pick<Options, "resume">): string {
  return turnKey || (resume ? newId() : "");
}

/** Fits both requests: they have the same fields. */
function turnRequest(turn: Prepared["request"]) {
  const { sessionId, model, messages, instructions, tools, requestId, continuation, turnKey, ...options } = turn;
  return {
    sessionId,
    model,
    messages: [...messages],
    instructions,
    tools: tools?.map(toolProto),
    requestId,
    turnKey,
    continuation,
    options: completionOptions(options),
  };
}
