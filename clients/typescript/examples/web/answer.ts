/** One answer on the page: the turns of a run, as their events come. */
import type { Done, Event, ItemProgress, Message, Part, TrunklineError, UpstreamItemPart } from "trunkline/web";
import { Approvals, waitsFor } from "./approvals.js";
import { el } from "./dom.js";
import { cost, explained } from "./failure.js";
import { ItemRow } from "./items.js";
import { Prose } from "./prose.js";
import { eventsOf } from "./replay.js";
import { reportOf } from "./report.js";
import { citedSources } from "./sources.js";

/** How a turn ended well. */
export type Ended = Pick<Done, "message" | "annotations" | "report" | "stopReason">;

/** Items that are shown by their own deltas. */
const SPOKEN = ["message", "reasoning", "function_call", "custom_tool_call"];

/** A text that comes piece by piece. */
interface Growing {
  append(text: string): void;
  end?(): void;
}

export class Answer {
  readonly element = el("li.answer", {}, el("span.unseen", {}, "The model:"));
  #turn!: HTMLElement;
  /** By the index of the part, as the rows below. */
  #parts = new Map<number, HTMLElement>();
  #texts = new Map<number, Growing>();
  #rows = new Map<number, ItemRow>();
  readonly #calls = new Map<string, HTMLElement>();
  readonly #broken = el("p.quiet.broken", {}, "The connection broke. Reconnecting; the answer will go on.");
  #approvals: Approvals | undefined;

  constructor() {
    this.#begin();
  }

  event(event: Event): void {
    switch (event.kind) {
      case "start":
        return this.#open();
      case "text_delta":
      case "refusal_delta":
        return this.#part(event.contentIndex, event.kind).append(event.delta);
      case "reasoning_delta":
        return this.#part(event.contentIndex, event.kind).append(event.delta);
      case "tool_call_delta":
        return this.#call(event.contentIndex, event.callId, event.name).append(event.delta);
      case "item_progress":
        return this.#progress(event);
      case "done":
        return this.#finish(event);
    }
  }

  /** A turn that ended before the page was loaded. */
  replay(ended: Ended): void {
    this.#open();
    for (const event of eventsOf(ended.message)) this.event(event);
    this.#finish(ended);
  }

  /** The connection broke, and the answer will go on, or it does. */
  reconnecting(broken: boolean): void {
    this.#broken.remove();
    if (broken) this.#turn.append(this.#broken);
  }

  /** Shows what the tools returned, as far as the conversation has it. */
  results(messages: readonly Message[]): void {
    for (const { parts } of messages) {
      for (const { part } of parts) {
        const call = part.case === "toolResult" ? this.#calls.get(part.value.callId) : undefined;
        if (part.case !== "toolResult" || call === undefined) continue;
        const { isError, parts } = part.value;
        const text = parts.map(({ part }) => (part.case === "text" ? part.value.text : `(${part.case})`)).join("");
        call.append(el("dt", {}, isError ? "failed" : "returned"), el(isError ? "dd.failed" : "dd", {}, text));
        this.#calls.delete(part.value.callId);
      }
    }
  }

  /** Asks the reader to approve. `decided` gets the answers when all are there. */
  ask(requests: readonly UpstreamItemPart[], decided: (answers: Part[]) => void): void {
    this.#approvals = new Approvals(decided);
    for (const { item, element } of this.#rows.values()) {
      if (item !== undefined && requests.includes(item)) this.#approvals.ask(item, element);
    }
  }

  /** Nobody answers what the model waits for: the conversation goes on without it. */
  leave(why?: string): void {
    this.#approvals?.close();
    this.#undo();
    if (why !== undefined) this.#note(why);
  }

  /** The end of a turn that ended badly. `again` sends the same once more. */
  failed(error: TrunklineError, again: () => void): void {
    const stopped = error.reason === "CANCELLED";
    this.#end(stopped ? "stopped" : "wrong");
    this.#undo();
    const button = el("button", { type: "button" }, stopped ? "Ask again" : "Try again");
    button.addEventListener("click", again);
    const [title, text] = stopped ? ["Stopped.", "The conversation is as it was before."] : explained(error);
    const notice = el(stopped ? "div.notice.calm" : "div.notice", { role: stopped ? "note" : "alert" });
    notice.append(el("strong", {}, title), el("span.said", {}, text));
    if (!stopped) notice.append(el("span.quiet", {}, cost(error)));
    notice.append(button);
    this.#turn.append(notice);
  }

  #open(): void {
    if (this.#turn.classList.contains("ended")) this.#begin();
    this.#turn.classList.remove("waiting");
  }

  #begin(): void {
    this.#turn = el("div.turn.running.waiting");
    [this.#parts, this.#texts, this.#rows] = [new Map(), new Map(), new Map()];
    this.element.append(this.#turn);
  }

  #end(how: string): void {
    this.reconnecting(false);
    for (const text of this.#texts.values()) text.end?.();
    this.#turn.classList.remove("running", "waiting");
    this.#turn.classList.add("ended", how);
  }

  #undo(): void {
    for (const part of this.#turn.children) part.classList.add("undone");
  }

  #note(text: string): void {
    this.#turn.append(el("p.quiet", {}, text));
  }

  #part(index: number, kind: "text_delta" | "refusal_delta" | "reasoning_delta"): Growing {
    return this.#at(index, () => {
      const prose = new Prose();
      if (kind === "text_delta") return [prose, prose.element];
      const [title, open] = kind === "reasoning_delta" ? ["Thinking", undefined] : ["The model refuses", ""];
      const details = el("details.aside", {}, el("summary", {}, title), prose.element);
      if (open !== undefined) details.setAttribute("open", open);
      return [prose, details];
    });
  }

  #call(index: number, callId: string, name: string): Growing {
    return this.#at(index, () => {
      const text = new Text();
      const call = el("dl.call", {}, el("dt", {}, "calls"), el("dd", {}, el("span.name", {}, name), " ", el("code", {}, text)));
      this.#calls.set(callId, call);
      return [{ append: (delta) => text.appendData(delta) }, call];
    });
  }

  #progress(event: ItemProgress): void {
    const spoken = SPOKEN.includes(event.itemType) || this.#texts.has(event.contentIndex);
    if (!spoken) this.#row(event.contentIndex, event.itemType).progress(event);
  }

  /** What only the whole answer says. */
  #finish({ message, annotations, report, stopReason }: Ended): void {
    this.#end(report.connectionReused ? "warm" : "cold");
    for (const [index, { part }] of message.parts.entries()) {
      if (part.case === "upstreamItem") this.#row(index, part.value.type).finish(part.value);
    }
    this.#turn.append(...[citedSources(annotations), reportOf(report)].filter((element) => element !== undefined));
    if (stopReason === "length") this.#note("The answer stops here: it reached its limit of length.");
    if (stopReason === "content_filter") this.#note("The answer stops here: a filter cut it.");
  }

  #row(index: number, type: string): ItemRow {
    let row = this.#rows.get(index);
    if (row === undefined) {
      row = new ItemRow(type);
      this.#rows.set(index, row);
      this.#place(index, row.element);
    }
    return row;
  }

  /** The text of a part; made where it comes first. */
  #at(index: number, make: () => [Growing, HTMLElement]): Growing {
    let text = this.#texts.get(index);
    if (text === undefined) {
      const [made, element] = make();
      text = made;
      this.#texts.set(index, made);
      this.#place(index, element);
    }
    return text;
  }

  /** In the order of the answer: some parts are known late. */
  #place(index: number, element: HTMLElement): void {
    const later = Math.min(...[...this.#parts.keys()].filter((other) => other > index));
    this.#turn.insertBefore(element, this.#parts.get(later) ?? null);
    this.#parts.set(index, element);
  }
}

/** The answer for those who hear the page. */
export function spoken({ text, refusal, actions, stopReason }: Done): string {
  const waits = stopReason === "action_required" ? waitsFor(actions) : "";
  return [text || refusal, waits].filter(Boolean).join(" ") || "The model calls tools.";
}
