/**
 * `main.js ADDRESS SCENARIOS [NAME…]`: runs the scenarios against a service and prints the transcript that
 * clients/conformance/README.md defines. What that page does not describe ends it with 1.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect as connectTo } from "node:net";
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
    const printer = new EventPrinter(this.#transcript, step);
    try {
      await this.#do(step, printer);
    } catch (error) {
      if (!(error instanceof TrunklineError)) throw error;
      printer.error(error);
    }
    this.#ended = printer.ended ?? this.#ended;
    if (["stream", "complete", "run", "answer", "compact", "together"].includes(step.do)) {
      this.#transcript.history(this.#conversation.messages);
    }
  }

  async #do(step: Step, printer: EventPrinter): Promise<void> {
    const conversation = this.#conversation;
    const { model, instructions, tools } = conversation;
    const sessionId = conversation.sessionId + (step.key === undefined ? "" : `.${step.key}`);
    switch (step.do) {
      case "stream":
        return this.#print(conversation.stream(inputOf(step), optionsOf(step)), printer, step);
      case "run": {
        const options = { ...optionsOf(step), maxRounds: step.max_rounds };
        return this.#print(conversation.run(inputOf(step), options), printer, step);
      }
      case "answer": {
        const answers = answersOf(step, this.#ended?.actions ?? []);
        return this.#print(conversation.answer(answers, optionsOf(step)), printer, step);
      }
      case "complete":
        return this.#complete(step, printer);
      case "call":
        return this.#print(this.#beside(step), printer, step);
      case "compact":
        return this.#transcript.compacted(await conversation.compact());
      case "together":
        return this.#together(step);
      case "edit":
        conversation.messages[step.index ?? 0] = user(step.text ?? "");
        return;
      case "wait":
        return this.#wait(sessionId);
      case "warm": {
        const prime = step.prime ?? false;
        return this.#transcript.session(await this.#client.warmSession(sessionId, { model, instructions, tools, prime }));
      }
      case "get": {
        const session = await this.#client.getSession(sessionId);
        this.#transcript.session(session);
        if (step.turns) for (const turn of session.runningTurns) this.#transcript.turn(turn);
        return;
      }
      case "list":
        for await (const session of this.#client.sessions({ pageSize: step.page_size })) {
          if (session.sessionId.startsWith(`${sessionId}.`)) this.#transcript.session(session);
        }
        return;
      case "release":
        await this.#client.releaseSession(sessionId);
        return this.#transcript.line("released");
      case "cancel_turn":
        await this.#client.cancelTurn(sessionId, { turnKey: step.turn_key ?? "" });
        return this.#transcript.line("cancelled");
      default:
        throw new Error(`unknown step: ${step.do}`);
    }
  }

  async #print(events: EventStream, printer: EventPrinter, step: Step): Promise<void> {
    const strikes = new Map<string, (turnId: string) => unknown>();
    const silent = (strike: (turnId: string) => unknown) => (turnId: string) => {
      printer.silent = true;
      return strike(turnId);
    };
    if (step.cancel_on) strikes.set(step.cancel_on, silent(() => events.cancel()));
    if (step.stop_on) strikes.set(step.stop_on, silent((turnId) => this.#stop(turnId)));
    if (step.cut_on) strikes.set(step.cut_on, cut);
    let turnId = "";
    for await (const event of events) {
      printer.event(event);
      if (event.kind === "start") turnId = event.turnId;
      const moment = event.kind.replace("_delta", "");
      const strike = strikes.get(moment);
      strikes.delete(moment);
      await strike?.(turnId);
    }
  }

  #stop(turnId: string): Promise<void> {
    return this.#client.cancelTurn(this.#conversation.sessionId, { turnId });
  }

  async #complete(step: Step, printer: EventPrinter): Promise<void> {
    const completing = this.#conversation.complete(inputOf(step), optionsOf(step));
    const cutting = step.cut_after_ms === undefined ? undefined : sleep(step.cut_after_ms).then(cut);
    const [done] = await Promise.all([completing, cutting]);
    printer.done(done);
  }

  /** A turn of the client, beside the conversation. */
  #beside(turn: Turn) {
    const { sessionId, model, instructions, tools, messages } = this.#conversation;
    const { turn_key: turnKey, after_sequence: afterSequence } = turn;
    const said = [...messages, user(textOf(turn) ?? "")];
    const given = { sessionId, model, instructions, tools, messages: said, turnKey, afterSequence };
    return this.#client.stream({ ...given, ...optionsOf(turn) });
  }

  async #together({ turns, mask }: Step): Promise<void> {
    const [first, second] = turns === true ? [] : (turns ?? []).map((turn) => this.#beside(turn));
    if (first === undefined || second === undefined) throw new Error("together: two turns");
    const begin = await collect(first, "start");
    const beside = await collect(second);
    const rest = begin.error === undefined ? await collect(first) : { events: [], error: begin.error };
    const collected = [{ events: [...begin.events, ...rest.events], error: rest.error }, beside];
    for (const [index, { events, error }] of collected.entries()) {
      if (index > 0) this.#transcript.line("and");
      const printer = new EventPrinter(this.#transcript, { mask });
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

/** Breaks every connection of the client. */
async function cut(): Promise<void> {
  const [, host, port] = /^(.*):(\d+)$/.exec(process.env["CONFORMANCE_CUT"] ?? "") ?? [];
  if (port === undefined) throw new Error("CONFORMANCE_CUT: HOST:PORT");
  const socket = connectTo({ host, port: Number(port) }).resume();
  await once(socket, "close");
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
await client.close();
