/**
 * The events of a turn over all calls that read it. The service numbers them from 1; each counts once and in
 * order. Example: 1 2 3, the connection breaks, and the next call asks for what is after 3. It begins with 4; a
 * call that begins with 1 reads another turn, which the service began because it no longer knows the first one.
 */

/** What to do with an event: it is the one that is due, or came before, or the turn is another one, or one is missing. */
export type Place = "due" | "again" | "restarted" | "gap";

export class Sequence {
  #last: number;
  #first = true; // the next event is the first one of its call

  constructor(after = 0) {
    this.#last = after;
  }

  /** The number of the last event. */
  get last(): number {
    return this.#last;
  }

  /** Another call begins. */
  begin(): void {
    this.#first = true;
  }

  /** An event came. Only the one that is due becomes the last one. */
  place(sequence: number): Place {
    const first = this.#first;
    this.#first = false;
    if (sequence === this.#last + 1) {
      this.#last = sequence;
      return "due";
    }
    if (first && sequence === 1) return "restarted";
    return sequence <= this.#last ? "again" : "gap";
  }

  /** An event came, and the caller alone knows what it asked for. */
  follow(sequence: number): void {
    this.#last = sequence;
  }
}
