/** One streamed turn: open, read, wait before a retry, stop. It ends once. */
import type { AttachOptions } from "./client.js";
import type { Done, Event, Start } from "./events.js";
import { eventFrom } from "./events.js";
import { endedEarly } from "./failures.js";
import type * as pb from "./gen/trunkline/v1/completion_pb.js";
import { Partial } from "./partial.js";
import type { Attempts } from "./retry.js";
import { failureOf, sleep } from "./retry.js";
import { EventStream } from "./stream.js";

/** How long to wait for the status after `done`: to leave earlier would look like a cancel to the service. */
const SETTLE_MS = 1000;

/** A turn that is about to be sent: how to call, and a callback for its end. */
export interface Asked {
  /** Makes the call, once for each try. */
  open(signal: AbortSignal, timeoutMs: number | undefined, after: number): Promise<AsyncIterable<pb.StreamCompletionResponse>>;
  /** Called once with the end of the turn; undefined: it failed, or the caller left. */
  settle?(done: Done | undefined): void;
}

/** The events of one turn: `for await (const event of turn)`. */
export class Turn extends EventStream {
  /** The name of the turn, for other calls. Empty: it has none. */
  readonly key: string;
  readonly #ask: () => Asked;
  readonly #attempts: Attempts;
  readonly #partial = new Partial();
  #sequence: number;
  #heard = false;
  #start: Start | undefined;
  #done: Done | undefined;
  #error: pb.Error | undefined;

  /** @internal */
  constructor(ask: () => Asked, attempts: Attempts, signal: AbortSignal | undefined, attach: AttachOptions) {
    super(signal);
    this.key = attach.turnKey ?? "";
    this.#ask = ask;
    this.#attempts = attempts;
    this.#sequence = attach.afterSequence ?? 0;
  }

  /** What was true when the upstream began; undefined: it has not. */
  get start(): Start | undefined {
    return this.#start;
  }

  override get done(): Done | undefined {
    return this.#done;
  }

  /** The number of the last event; before the first one, what the call was to begin after. */
  get sequence(): number {
    return this.#sequence;
  }

  /** The text that has come so far. */
  get text(): string {
    return this.#done?.text ?? this.#partial.text;
  }

  protected override async *read(signal: AbortSignal): AsyncGenerator<Event, void, void> {
    const asked = this.#ask();
    const call = new AbortController(); // ends with the reading, however that ends
    const stop = () => call.abort();
    signal.addEventListener("abort", stop);
    try {
      while (this.#done === undefined) {
        try {
          if (signal.aborted) throw signal.reason;
          yield* this.#try(asked, call.signal);
        } catch (thrown) {
          const said = { event: this.#error, partial: this.#partial.message() };
          const error = failureOf(thrown, this.#attempts, signal, said);
          const delay = this.#attempts.delay(error, this.#heard);
          if (delay === undefined) throw this.#attempts.verdict(error);
          await sleep(delay, signal);
        }
      }
    } finally {
      signal.removeEventListener("abort", stop);
      if (this.#done === undefined) asked.settle?.(undefined);
      call.abort();
    }
  }

  async *#try(asked: Asked, call: AbortSignal): AsyncGenerator<Event, void, void> {
    const timeoutMs = this.#attempts.begin();
    const responses = (await asked.open(call, timeoutMs, this.#sequence))[Symbol.asyncIterator]();
    try {
      for (let next = await responses.next(); !next.done; next = await responses.next()) {
        const event = this.#receive(next.value);
        if (event?.kind === "done") asked.settle?.(event);
        if (event !== undefined) yield event;
        if (this.#done !== undefined) return;
      }
      throw endedEarly(this.#error, this.#partial.message());
    } finally {
      if (this.#done !== undefined) {
        await Promise.race([responses.next().catch(() => undefined), sleep(SETTLE_MS, call)]);
      }
    }
  }

  /** Undefined: nothing for the caller, read on. */
  #receive(response: pb.StreamCompletionResponse): Event | undefined {
    this.#heard = true;
    this.#sequence = Number(response.sequence);
    // Kept until the status comes: the caller hears of both at once.
    if (response.event.case === "error") this.#error = response.event.value;
    const event = eventFrom(response);
    if (event?.kind === "start") this.#start = event;
    else if (event?.kind === "done") this.#done = event;
    else if (event !== undefined) this.#partial.add(event);
    return event;
  }
}
