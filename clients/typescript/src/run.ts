/**
 * The tool loop: open calls are answered first, then a turn is made, until the model asks for nothing or waits
 * for an action, or the rounds are used up. No tool runs twice: results join the conversation as soon as they are
 * there, so a turn that fails afterwards can be made again without them.
 */
import type { Conversation, TurnOptions } from "./conversation.js";
import type { Done, Event } from "./events.js";
import { ACTION_REQUIRED } from "./events.js";
import { stopped } from "./failures.js";
import type { Message } from "./gen/trunkline/v1/message_pb.js";
import type { Input } from "./messages.js";
import { EventStream } from "./stream.js";
import { callTool } from "./tools.js";
import type { Turn } from "./turn.js";

const MAX_ROUNDS = 32;

/**
 * The events of all turns, each turn with its `start` and `done`; `done` is the last one.
 *
 * The calls of one answer run side by side. A tool's errors are reported to the model. After `maxRounds`
 * turns the run ends although the model may still ask (`stopReason` is then "tool_use"); the next run, or one
 * after a turn that failed, goes on from there. It also ends where the model waits for an action
 * ("action_required"): `conversation.answer` goes on with what answers `done.actions`.
 */
export class Run<T = unknown> extends EventStream<T> {
  readonly #conversation: Conversation;
  readonly #maxRounds: number;
  #options: TurnOptions<T>;
  #turn: Turn<T> | undefined;
  #input: Input | undefined;
  #done: Done<T> | undefined;

  /** @internal */
  constructor(conversation: Conversation, input: Input | undefined, maxRounds = MAX_ROUNDS, options: TurnOptions<T>) {
    if (maxRounds < 1) throw new RangeError("maxRounds: at least 1");
    super(options.signal);
    this.#conversation = conversation;
    this.#input = input;
    this.#maxRounds = maxRounds;
    this.#options = options;
  }

  override get done(): Done<T> | undefined {
    return this.#done;
  }

  /** The turn that runs, or that ran last; undefined: none yet. */
  get turn(): Turn<T> | undefined {
    return this.#turn;
  }

  protected override async *read(signal: AbortSignal): AsyncGenerator<Event<T>, void, void> {
    for (let round = 0; round < this.#maxRounds; round += 1) {
      const calls = this.#conversation.openCalls();
      if (calls.length > 0) {
        const { tools, messages } = this.#conversation;
        const results = Promise.all(calls.map((call) => callTool(call, tools, signal)));
        messages.push(...(await unlessStopped(results, signal)));
      } else if (round > 0) {
        return;
      }
      const turn = (this.#turn = this.#conversation.stream(this.#input, { ...this.#options, signal }));
      this.#input = undefined;
      this.#options = { ...this.#options, turnKey: undefined, afterSequence: undefined };
      for await (const event of turn) {
        if (event.kind === "done") this.#done = event;
        yield event;
      }
      if (this.#done?.stopReason === ACTION_REQUIRED) return;
    }
  }
}

/** A tool that does not look at its signal runs to its end unheard. */
function unlessStopped(results: Promise<Message[]>, signal: AbortSignal): Promise<Message[]> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(stopped(signal.reason, { sent: false }));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
    void results.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
