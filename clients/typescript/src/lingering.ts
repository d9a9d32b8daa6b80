/**
 * Turns that go on without their caller. One with `resume` outlives the connection of its call, so that the call
 * can be made again. Whoever leaves it therefore also tells the service, by CancelTurn: best effort, in the
 * background, within `STOP_MS`.
 */
import { TrunklineError } from "./errors.js";
import type { TurnName } from "./sessions.js";

/** Of a CancelTurn that nobody asked for, and so how long closing a client may take. */
const STOP_MS = 2000;

type CancelTurn = (sessionId: string, turn: TurnName & { timeoutMs: number }) => Promise<void>;

export class Lingering {
  readonly #cancelTurn: CancelTurn;
  readonly #turns = new Set<(reason: string) => void>();
  readonly #stops = new Set<Promise<void>>();

  constructor(cancelTurn: CancelTurn) {
    this.#cancelTurn = cancelTurn;
  }

  /** A turn runs: `cancel` ends it where the client is closed. Returns the callback for its end. */
  add(cancel: (reason: string) => void): () => void {
    this.#turns.add(cancel);
    return () => void this.#turns.delete(cancel);
  }

  /** A unary call of a turn. Where its caller leaves it, by the signal or by a deadline, the turn is stopped. */
  async call<T>(
    sessionId: string,
    turn: TurnName,
    signal: AbortSignal | undefined,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const own = new AbortController();
    const cancel = (reason: unknown) => own.abort(reason);
    const leave = () => cancel(signal?.reason);
    if (signal?.aborted) leave();
    else own.signal.addEventListener("abort", () => this.stop(sessionId, turn));
    signal?.addEventListener("abort", leave);
    const remove = this.add(cancel);
    try {
      return await call(own.signal);
    } catch (error) {
      if (!own.signal.aborted && isLate(error)) this.stop(sessionId, turn);
      throw error;
    } finally {
      remove();
      signal?.removeEventListener("abort", leave);
    }
  }

  /** Stops a turn, without waiting for it. */
  stop(sessionId: string, turn: TurnName): void {
    const stop = this.#cancelTurn(sessionId, { ...turn, timeoutMs: STOP_MS })
      .catch(() => undefined)
      .finally(() => this.#stops.delete(stop));
    this.#stops.add(stop);
  }

  /** Cancels the turns that run. Returns what stops them, to be waited for. */
  cancelAll(): Promise<void>[] {
    for (const cancel of [...this.#turns]) cancel("the client was closed");
    return [...this.#stops];
  }
}

/** Whether the caller's own deadline ended a call: of a turn that goes on, the service knows nothing of it. */
export function isLate(error: unknown): boolean {
  return error instanceof TrunklineError && error.status === "DEADLINE_EXCEEDED" && !error.reported;
}
