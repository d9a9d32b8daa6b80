/**
 * `main.js ADDRESS SCENARIOS [NAME…]`: runs the scenarios against a service and prints the transcript that
 * clients/conformance/README.md defines. What that page does not describe ends it with 1.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Client, Conversation, Done, Event, EventStream } from "../src/node.js";
import { connect, TrunklineError, user } from "../src/node.js";
import type { Scenario, Step, Suite, Turn } from "./given.js";
import { answersOf, inputOf, optionsOf, textOf, toolOf } from "./given.js";
import { EventPrinter, Transcript } from "./transcript.js";

const WAITS = 200;
const WAIT_MS = 50;

/** One scenario: a conversation, and what is done with it. */
class Runner {
  readonly #client: Client;
  readonly #conversation: Conversation;
  readonly #transcript: Transcript;
  /** The last end. */
  #ended: Done | undefined;

  constructor(client: Client, suite: Suite, scenario: Scenario, run: string, write: (line: string) => void) {
    this.#client = client;
    this.#transcript = new Transcript(write, run);
    this.#conversation = client.conversation({
      model: suite.model,
      sessionId: scenario.session ?? `conformance.${run}.${scenario.name}`,
      instructions: scenario.instructions,
      tools: (scenario.tools ?? []).map((name) => toolOf(suite, name)),
    });
    this.#transcript.line(`== ${scenario.name}`);
  }

  async step(step: Step): Promise<void> {
    this.#transcript.line(`> ${step.do}`);
    const printer = new EventPrinter(this.#transcript, step.mask ?? false, step.details ?? false);
    try {
      await this.#do(step, printer);
    } catch (error) {
      if (!(error instanceof TrunklineError)) throw error;
      printer.error(error);
    }
    this.#ended = printer.ended ?? this.#ended;
    if (["stream", "complete", "run", "answer", "together"].includes(step.do)) {
      this.#transcript.history(this.#conversation.messages);
    }
  }

  async #do(step: Step, printer: EventPrinter): Promise<void> {
    const conversation = this.#conversation;
    const { model, instructions, tools } = conversation;
    const sessionId = conversation.sessionId + (step.key === undefined ? "" : `.${step.key}`);
    switch (step.do) {
      case "stream":
        return print(conversation.stream(inputOf(step), optionsOf(step)), printer, step.cancel_on);
      case "run": {
        const options = { ...optionsOf(step), maxRounds: step.max_rounds };
        return print(conversation.run(inputOf(step), options), printer, step.cancel_on);
      }
      case "answer": {
        const answers = answersOf(step, this.#ended?.actions ?? []);
        return print(conversation.answer(answers, optionsOf(step)), printer, step.cancel_on);
      }
      case "complete":
        return printer.done(await conversation.complete(inputOf(step), optionsOf(step)));
      case "together":
        return this.#together(step.turns ?? [], step.mask ?? false);
      case "edit":
        conversation.messages[step.index ?? 0] = user(step.text ?? "");
        return;
      case "wait":
        return this.#wait(sessionId);
      case "warm": {
        const prime = step.prime ?? false;
        return this.#transcript.session(await this.#client.warmSession(sessionId, { model, instructions, tools, prime }));
      }
      case "get":
        return this.#transcript.session(await this.#client.getSession(sessionId));
      case "list":
        for await (const session of this.#client.sessions({ pageSize: step.page_size })) {
          if (session.sessionId.startsWith(`${sessionId}.`)) this.#transcript.session(session);
        }
        return;
      case "release":
        await this.#client.releaseSession(sessionId);
        return this.#transcript.line("released");
      default:
        throw new Error(`unknown step: ${step.do}`);
    }
  }

  async #together(turns: readonly Turn[], masked: boolean): Promise<void> {
    const { sessionId, model, instructions, tools, messages } = this.#conversation;
    const [first, second] = turns.map((turn) => {
      const said = [...messages, user(textOf(turn) ?? "")];
      return this.#client.stream({ sessionId, model, instructions, tools, messages: said, ...optionsOf(turn) });
    });
    if (first === undefined || second === undefined) throw new Error("together: two turns");
    const begin = await collect(first, "start");
    const beside = await collect(second);
    const rest = begin.error === undefined ? await collect(first) : { events: [], error: begin.error };
    const collected = [{ events: [...begin.events, ...rest.events], error: rest.error }, beside];
    for (const [index, { events, error }] of collected.entries()) {
      if (index > 0) this.#transcript.line("and");
      const printer = new EventPrinter(this.#transcript, masked);
      for (const event of events) printer.event(event);
      if (error !== undefined) printer.error(error);
    }
  }

  async #wait(sessionId: string): Promise<void> {
    for (let count = 0; count < WAITS; count += 1) {
      const state = await this.#client.getSession(sessionId).then(
        (session) => session.lineState,
        () => "",
      );
      if (state !== "busy" && state !== "dialing") return;
      await sleep(WAIT_MS);
    }
    throw new Error(`wait: ${sessionId} is still busy`);
  }
}

async function print(events: EventStream, printer: EventPrinter, cancelOn: Turn["cancel_on"]): Promise<void> {
  let struck = false;
  for await (const event of events) {
    if (struck) continue;
    printer.event(event);
    struck = event.kind === (cancelOn === "text" ? "text_delta" : cancelOn);
    if (struck) events.cancel();
  }
}

/** Reads up to an event of this kind, or to the end. */
async function collect(stream: EventStream, until?: Event["kind"]): Promise<{ events: Event[]; error?: TrunklineError }> {
  const events: Event[] = [];
  try {
    for (let next = await stream.next(); !next.done; next = await stream.next()) {
      events.push(next.value);
      if (next.value.kind === until) break;
    }
    return { events };
  } catch (error) {
    if (!(error instanceof TrunklineError)) throw error;
    return { events, error };
  }
}

const [address, path, ...names] = process.argv.slice(2);
if (address === undefined || path === undefined) {
  console.error("usage: conformance ADDRESS SCENARIOS [NAME…]");
  process.exit(1);
}
const suite = JSON.parse(readFileSync(path, "utf8")) as Suite;
const run = randomBytes(6).toString("hex");
const client = connect(address);
for (const scenario of suite.scenarios) {
  if (names.length > 0 && !names.includes(scenario.name)) continue;
  const runner = new Runner(client, suite, scenario, run, (line) => process.stdout.write(line));
  for (const step of scenario.steps) await runner.step(step);
}
client.close();
