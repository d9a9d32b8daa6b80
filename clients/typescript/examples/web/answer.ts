/** One answer on the page: the turns of a run, as their events come. */
import type { Event, Message, Report, TrunklineError } from "trunkline/web";
import { textOf } from "trunkline/web";
import { el, size, time } from "./dom.js";

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
        this.#turn.append(reportOf(event.report));
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

function reportOf(report: Report): HTMLElement {
  const { bytesSent, bytesSaved, timings } = report;
  const whole = bytesSent + bytesSaved;
  const share = Math.round((100 * bytesSent) / Math.max(1, whole));
  const row = el("dl.report.quiet", { "aria-label": "What the turn did" });
  const fact = (name: string, title: string, ...value: (Node | string)[]) =>
    row.append(el("div", { title }, el("dt.unseen", {}, `${name}: `), el("dd", {}, ...value)));
  const warm = report.connectionReused;
  const temperature = el("span.temperature", {}, warm ? "warm" : "cold");
  const opened = warm ? "The line was open before the turn" : "The line had to be opened";
  const over = report.transport === "sse" ? " HTTP" : " WebSocket";
  fact("Line", `${opened}; this one: ${report.transportReason.replaceAll("_", " ")}`, temperature, over);
  fact("Context", `Why: ${report.contextReason}`, `${report.context}, ${report.contextReason.replaceAll("_", " ")}`);
  const bar = el("span.bar", { "aria-hidden": "true" }, el("i", { style: `width:${share}%` }));
  const saved = bytesSaved > 0 ? `, ${size(bytesSaved)} saved` : "";
  fact("Bytes", `${size(bytesSent)} sent of ${size(whole)}`, el("span.share", {}, bar, `${size(bytesSent)} sent${saved}`));
  if (timings.firstContentMs !== undefined) fact("Timing", "From the start of the turn", `first content ${time(timings.firstContentMs)}`);
  return row;
}

function explained(error: TrunklineError): [title: string, text: string] {
  switch (error.reason) {
    case "UNAVAILABLE":
      return ["The connection is lost.", "The service cannot be reached, or went away in the middle."];
    case "RATE_LIMITED":
    case "OVERLOADED":
      return ["Too busy just now.", error.rawMessage];
    case "UNAUTHENTICATED":
    case "PERMISSION_DENIED":
      return ["The service does not let you in.", "Look at the token in the settings."];
    default:
      return [`This went wrong: ${error.reason.toLowerCase().replaceAll("_", " ")}.`, error.rawMessage];
  }
}

function cost({ sent, retryable, retryAfterMs }: TrunklineError): string {
  if (retryAfterMs !== undefined) return `The service asks to wait for ${time(retryAfterMs)}.`;
  if (sent === false) return "Nothing was sent to the model.";
  if (sent === undefined) return "Nobody knows whether the model got the question: asking again may cost twice.";
  return retryable ? "The model got the question: asking again may cost twice." : "Asking the same again will hardly help.";
}
