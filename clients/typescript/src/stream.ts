/** What turns and runs have in common to the one who reads them: iterate, leave, stop, wait for the end. */
import type { Done, Event } from "./events.js";

/**
 * Events that end with `Done`, or throw one `TrunklineError`. Nothing is sent before the first is asked for.
 *
 * There is one reading: a second loop goes on where the first one stopped. Leaving the loop (`break`, `return`,
 * an exception) stops the turn, down to the model.
 */
export abstract class EventStream<T = unknown> implements AsyncIterableIterator<Event<T>> {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  #events: AsyncGenerator<Event<T>, void, void> | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.#outer = signal;
  }

  /** How it ended; undefined: it has not, or not well. */
  abstract get done(): Done<T> | undefined;

  /** The events. Stops when the signal says so, and then throws. */
  protected abstract read(signal: AbortSignal): AsyncGenerator<Event<T>, void, void>;

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Event<T>, void>> {
    this.#events ??= this.#read();
    return this.#events.next();
  }

  /** Leaves it, without an error. What a loop calls that is left early. */
  async return(): Promise<IteratorResult<Event<T>, void>> {
    this.#events ??= this.#read();
    if (this.done === undefined) this.#controller.abort();
    return this.#events.return();
  }

  /** Stops it. Its reader gets a `TurnCancelledError` with the partial answer. */
  cancel(reason: unknown = "cancel() was called"): void {
    this.#controller.abort(reason);
  }

  /** Reads what is left and returns the end. */
  async result(): Promise<Done<T>> {
    for await (const _ of this);
    if (this.done === undefined) throw new Error("it has no end: it was left, or its error was thrown before");
    return this.done;
  }

  async *#read(): AsyncGenerator<Event<T>, void, void> {
    const outer = this.#outer;
    const stop = () => this.#controller.abort(outer?.reason);
    if (outer?.aborted) stop();
    outer?.addEventListener("abort", stop);
    try {
      yield* this.read(this.#controller.signal);
    } finally {
      outer?.removeEventListener("abort", stop);
    }
  }
}
