/**
 * One streamed turn: open, read, wait before a retry, stop. It ends once. A turn with `resume` may have several
 * calls: each asks, by the key of the turn, for the events after the last one that came.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import type { AttachOptions } from "./client.js";
import type { TrunklineError } from "./errors.js";
import { failed } from "./errors.js";
import type { Done, Event, Start } from "./events.js";
import { eventFrom } from "./events.js";
import type * as pb from "./gen/trunkline/v1/completion_pb.js";
import { isLate } from "./lingering.js";
import type { TextFormat } from "./options.js";
import { Partial } from "./partial.js";
import type { Attempts } from "./retry.js";
import { failureOf, sleep } from "./retry.js";
import { Sequence } from "./sequence.js";
import type { TurnName } from "./sessions.js";
import { EventStream } from "./stream.js";

/** How long to wait for the status after `done`: to leave earlier would look like a cancel to the service. */
const SETTLE_MS = 1000;

/** A turn that is about to be sent: how to call, and callbacks for its end. */
export interface Asked<T = unknown> {
  /** Makes the call, once for each try. */
  open(signal: AbortSignal, timeoutMs: number | undefined, after: number): Promise<AsyncIterable<pb.StreamCompletionResponse>>;
  /** Called once with the end of the turn; undefined: it failed, or the caller left. */
  settle?(done: Done<T> | undefined): void;
  /** Of the answer. */
  readonly format?: TextFormat<T>;
  /** Tells the service to stop a turn, without waiting for it. */
  stop(turn: TurnName): void;
  /** After so long without a message, once there was one, the connection counts as broken. Undefined: never. */
  readonly silenceMs?: number;
}

/** The events of one turn: `for await (const event of turn)`. */
export class Turn<T = unknown> extends EventStream<T> {
  /** The name of the turn, for other calls. Empty: it has none. */
  readonly key: string;
  readonly #ask: () => Asked<T>;
  readonly #attempts: Attempts;
  readonly #onBreak: AttachOptions["onBreak"];
  readonly #partial = new Partial();
  readonly #sequence: Sequence;
  #heard = false;
  #broken = false;
  /** Ends the call, or the one before the next try. */
  #call = new AbortController();
  #start: Start | undefined;
  #done: Done<T> | undefined;
  #error: pb.Error | undefined;

  /** @internal */
  constructor(ask: () => Asked<T>, attempts: Attempts, signal: AbortSignal | undefined, attach: AttachOptions) {
    super(signal);
    this.key = attach.turnKey ?? "";
    this.#ask = ask;
    this.#attempts = attempts;
    this.#onBreak = attach.onBreak;
    this.#sequence = new Sequence(attach.afterSequence);
  }

  /** What was true when the upstream began; undefined: it has not. */
  get start(): Start | undefined {
    return this.#start;
  }

  override get done(): Done<T> | undefined {
    return this.#done;
  }

  /** The number of the last event; before the first one, what the call was to begin after. */
  get sequence(): number {
    return this.#sequence.last;
  }

  /** The text that has come so far. */
  get text(): string {
    return this.#done?.text ?? this.#partial.text;
  }

  protected override async *read(signal: AbortSignal): AsyncGenerator<Event<T>, void, void> {
    const asked = this.#ask();
    const stop = () => {
      this.#call.abort();
      this.#leave(asked);
    };
    signal.addEventListener("abort", stop);
    try {
      while (this.#done === undefined) {
        let thrown: unknown;
        try {
          if (signal.aborted) throw signal.reason;
          yield* this.#try(asked);
        } catch (caught) {
          thrown = caught;
        }
        this.#call.abort();
        if (this.#done === undefined) await sleep(this.#delay(thrown, asked, signal), signal);
      }
    } finally {
      signal.removeEventListener("abort", stop);
      if (this.#done === undefined) asked.settle?.(undefined);
      this.#call.abort();
    }
  }

  async *#try(asked: Asked<T>): AsyncGenerator<Event<T>, void, void> {
    this.#heard = false;
    this.#sequence.begin();
    const { signal } = (this.#call = new AbortController());
    const timeoutMs = this.#attempts.begin();
    const responses = (await asked.open(signal, timeoutMs, this.sequence))[Symbol.asyncIterator]();
    try {
      // Before its first message a call may wait for a place, in silence.
      for (let next = await responses.next(); !next.done; next = await within(asked.silenceMs, responses.next())) {
        const event = this.#receive(next.value, asked);
        if (event?.kind === "done") asked.settle?.(event);
        if (event !== undefined) yield event;
        if (this.#done !== undefined) return;
      }
    } finally {
      if (this.#done !== undefined) {
        await Promise.race([responses.next().catch(() => undefined), sleep(SETTLE_MS, signal)]);
      }
    }
  }

  /** A try failed: how long to wait before the next one. Throws where there is none. */
  #delay(thrown: unknown, asked: Asked<T>, signal: AbortSignal): number {
    const error = failureOf(thrown, this.#attempts, signal, { event: this.#error, partial: this.#partial.message() });
    const delay = this.#attempts.delay(error, this.#heard);
    if (delay === undefined) {
      if (isLate(error)) this.#leave(asked);
      throw this.#attempts.verdict(error);
    }
    this.#broken = true;
    this.#onBreak?.(error);
    return delay;
  }

  /** The caller goes before the end: a turn that would go on without it is stopped. */
  #leave(asked: Asked<T>): void {
    if (this.#attempts.resumes && this.#attempts.made > 0 && this.#done === undefined) asked.stop({ turnKey: this.key });
  }

  /** Undefined: nothing for the caller, read on. */
  #receive(response: pb.StreamCompletionResponse, asked: Asked<T>): Event<T> | undefined {
    this.#heard = true;
    if (this.#broken) this.#onBreak?.(undefined);
    this.#broken = false;
    if (this.#attempts.resumes && !this.#isDue(response, asked)) return undefined;
    if (!this.#attempts.resumes) this.#sequence.follow(Number(response.sequence));
    // Kept until the status comes: the caller hears of both at once.
    if (response.event.case === "error") this.#error = response.event.value;
    const event = eventFrom(response, asked.format);
    if (event?.kind === "start") this.#start = event;
    else if (event?.kind === "done") this.#done = event;
    else if (event !== undefined) this.#partial.add(event);
    return event;
  }

  /** Whether a turn that is resumed goes on with this event. */
  #isDue({ event, sequence }: pb.StreamCompletionResponse, asked: Asked<T>): boolean {
    if (event.case === "heartbeat") return false;
    const due = this.sequence + 1;
    switch (this.#sequence.place(Number(sequence))) {
      case "due":
        this.#attempts.progressed();
        return true;
      case "again":
        return false;
      case "restarted":
        if (event.case === "start") asked.stop({ turnId: event.value.turnId });
        throw this.#lost("the turn was lost with its connection: the service began another one, which is stopped");
      case "gap":
        asked.stop({ turnKey: this.key });
        throw this.#lost(`event ${sequence} came where event ${due} was due`);
    }
  }

  #lost(why: string): TrunklineError {
    return failed("UNAVAILABLE", why, { status: "UNAVAILABLE", partial: this.#partial.message() });
  }
}

/** The next message. Throws where it does not come in time. */
async function within<T>(ms: number | undefined, next: Promise<T>): Promise<T> {
  if (ms === undefined) return next;
  let timer: ReturnType<typeof setTimeout>;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ConnectError(`nothing came for ${ms} ms`, Code.Unavailable)), ms);
  });
  next.catch(() => undefined); // where silence wins, the call is ended: nobody else hears of that
  return Promise.race([next, silence]).finally(() => clearTimeout(timer));
}
