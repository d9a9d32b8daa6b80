/** A conversation that was kept, on the page again. */
import { annotationsOf, textOf } from "trunkline/web";
import { Answer } from "./answer.js";
import { el } from "./dom.js";
import type { Chat } from "./keeping.js";

export interface Shown {
  readonly elements: HTMLElement[];
  /** The last question and the number of its message, and what answers it; undefined: nothing does yet. */
  readonly question: HTMLElement;
  readonly from: number;
  readonly answer: Answer | undefined;
}

export function questionOf(text: string): HTMLLIElement {
  return el("li.question", {}, el("span.unseen", {}, "You: "), text);
}

export function shownAgain(said: Chat["said"]): Shown {
  const elements: HTMLElement[] = [];
  let question = el("li.question");
  let from = 0;
  let answer: Answer | undefined;
  for (const [index, [message, end]] of said.entries()) {
    if (end !== undefined) {
      if (answer === undefined) elements.push((answer = new Answer()).element);
      answer.replay({ message, annotations: annotationsOf(message), ...end });
    } else if (textOf(message) !== "") {
      elements.push((question = questionOf(textOf(message))));
      [from, answer] = [index, undefined];
    } else {
      answer?.results([message]);
    }
  }
  return { elements, question, from, answer };
}
