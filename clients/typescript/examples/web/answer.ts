/** One answer on the page: the turns of a run, as their events come. */
import type { Done, Event, Message, TrunklineError } from "trunkline/web";
import { textOf } from "trunkline/web";
import { el } from "./dom.js";
import { cost, explained } from "./failure.js";
import { reportOf } from "./report.js";
import { citedSources } from "./sources.js";

export class Answer {
  readonly element = el("li.answer", {}, el("span.unseen", {}, "The model:"));
  #turn!: HTMLElement;
  #parts = new Map<number, Text>();
  readonly #calls = new Map<string, HTMLElement>();

  constructor() {
    this.#begin();
  }

  event(event: Event): void {
    switch (event.kind) {
      case "start":
        if (this.#turn.classList.contains("ended")) this.#begin();
        this.#turn.classList.remove("waiting");
        return;
      case "text_delta":
      case "refusal_delta":
        return this.#part(event.contentIndex, event.kind).appendData(event.delta);
      case "reasoning_delta":
        return this.#part(event.contentIndex, event.kind).appendData(event.delta);
      case "tool_call_delta":
        return this.#call(event.contentIndex, event.callId, event.name).appendData(event.delta);
      case "done":
        this.#end(event.report.connectionReused ? "warm" : "cold");
        this.#finish(event);
        if (event.stopReason === "length") this.#note("The answer stops here: it reached its limit of length.");
        if (event.stopReason === "content_filter") this.#note("The answer stops here: a filter cut it.");
    }
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

  /** The end of a turn that ended badly. `again` sends the same once more. */
  failed(error: TrunklineError, again: () => void): void {
    const stopped = error.reason === "CANCELLED";
    this.#end(stopped ? "stopped" : "wrong");
    for (const part of this.#turn.children) part.classList.add("undone");
    const button = el("button", { type: "button" }, stopped ? "Ask again" : "Try again");
    button.addEventListener("click", again);
    const [title, text] = stopped ? ["Stopped.", "The conversation is as it was before."] : explained(error);
    const notice = el(stopped ? "div.notice.calm" : "div.notice", { role: stopped ? "note" : "alert" });
    notice.append(el("strong", {}, title), el("span.said", {}, text));
    if (!stopped) notice.append(el("span.quiet", {}, cost(error)));
    notice.append(button);
    this.#turn.append(notice);
  }

  #begin(): void {
    this.#turn = el("div.turn.running.waiting");
    this.#parts = new Map();
    this.element.append(this.#turn);
  }

  #end(how: string): void {
    this.#turn.classList.remove("running", "waiting");
    this.#turn.classList.add("ended", how);
  }

  #note(text: string): void {
    this.#turn.append(el("p.quiet", {}, text));
  }

  #part(index: number, kind: "text_delta" | "refusal_delta" | "reasoning_delta"): Text {
    return this.#at(index, (text) => {
      if (kind === "text_delta") return el("div.text", {}, text);
      const [title, open] = kind === "reasoning_delta" ? ["Thinking", undefined] : ["The model refuses", ""];
      const details = el("details.aside", {}, el("summary", {}, title), el("div.text", {}, text));
      if (open !== undefined) details.setAttribute("open", open);
      return details;
    });
  }

  #call(index: number, callId: string, name: string): Text {
    return this.#at(index, (text) => {
      const call = el("dl.call", {}, el("dt", {}, "calls"), el("dd", {}, el("span.name", {}, name), " ", el("code", {}, text)));
      this.#calls.set(callId, call);
      return call;
    });
  }

  /** What only the whole answer says. */
  #finish({ annotations, report }: Done): void {
    this.#turn.append(...[citedSources(annotations), reportOf(report)].filter((element) => element !== undefined));
  }

  /** The text of a part; made where it comes first. */
  #at(index: number, make: (text: Text) => HTMLElement): Text {
    let text = this.#parts.get(index);
    if (text === undefined) {
      text = new Text();
      this.#parts.set(index, text);
      this.#turn.append(make(text));
    }
    return text;
  }
}

export function spoken(message: Message): string {
  return textOf(message) || "The model calls tools.";
}
