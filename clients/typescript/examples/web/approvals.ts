/** What the model waits for: a person who approves a tool of an MCP server, or something that no page has. */
import type { Message, Part, UpstreamItemPart } from "trunkline/web";
import { approval, upstreamItemsOf } from "trunkline/web";
import { el } from "./dom.js";
import { parsed } from "./json.js";
import { nameOf, toolOf } from "./kinds.js";

const APPROVAL_REQUEST = "mcp_approval_request";

/** Whether the reader can answer all of it. The model goes on only when it has every answer. */
export function answerable(actions: readonly UpstreamItemPart[]): boolean {
  return actions.length > 0 && actions.every(({ type }) => type === APPROVAL_REQUEST);
}

/** What the reader is asked in a message. */
export function approvalsIn(message: Message): UpstreamItemPart[] {
  return upstreamItemsOf(message).filter(({ type }) => type === APPROVAL_REQUEST);
}

/** What the model waits for, in a sentence. */
export function waitsFor(actions: readonly UpstreamItemPart[]): string {
  if (answerable(actions)) {
    const tools = actions.map(({ json }) => toolOf(parsed(json)));
    return `The model asks for your approval to call ${tools.join(" and ")}.`;
  }
  const names = actions.filter(({ type }) => type !== APPROVAL_REQUEST).map(({ type }) => nameOf(type).toLowerCase());
  const what = [...new Set(names)].join(" and ") || "question";
  return `The model waits for an answer to its ${what}, which this page cannot give. The chat goes on without this turn.`;
}

/** The buttons below each request. `decided` gets the answers when all are there. */
export class Approvals {
  readonly #open = new Set<HTMLElement>();
  readonly #answers: Part[] = [];
  readonly #decided: (answers: Part[]) => void;

  constructor(decided: (answers: Part[]) => void) {
    this.#decided = decided;
  }

  ask(request: UpstreamItemPart, row: HTMLElement): void {
    const tool = toolOf(parsed(request.json));
    const choice = el("div.choice", { role: "group", "aria-label": `Approval of ${tool}`, tabindex: "-1" });
    for (const [label, approve, said] of [
      ["Approve", true, "You approved."],
      ["Deny", false, "You denied."],
    ] as const) {
      const button = el("button", { type: "button" }, label);
      button.addEventListener("click", () => {
        this.#answers.push(approval(request, approve));
        this.#close(choice, said);
        choice.focus();
        if (this.#open.size === 0) this.#decided(this.#answers);
      });
      choice.append(button);
    }
    this.#open.add(choice);
    row.classList.add("waits");
    row.append(choice);
  }

  /** Takes the buttons away: the conversation goes on without an answer. */
  close(): void {
    for (const choice of this.#open) this.#close(choice, "Not answered.");
  }

  #close(choice: HTMLElement, said: string): void {
    this.#open.delete(choice);
    choice.replaceChildren(el("p.quiet", {}, said));
    choice.parentElement?.classList.remove("waits");
  }
}
