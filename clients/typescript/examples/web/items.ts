/** The items of a turn that are no text, thought or call of ours: one row each, while they run and in the end. */
import type { ItemProgress, UpstreamItemPart } from "trunkline/web";
import { el } from "./dom.js";
import { parsed, word } from "./json.js";
import type { Kind, Shown } from "./kinds.js";
import { block, kindOf } from "./kinds.js";
import { Picture } from "./picture.js";

/** Stages that say more than that the item runs. */
const STAGES: Record<string, string> = { interpreting: "Running code" };

export class ItemRow {
  readonly element: HTMLElement;
  readonly #kind: Kind;
  readonly #picture = new Picture();
  readonly #written = new Text();
  #item: UpstreamItemPart | undefined;

  constructor(type: string) {
    this.#kind = kindOf(type);
    this.element = el(`div.item.${this.#kind.icon}`);
    this.#render({ what: `${this.#kind.doing} …` });
  }

  /** The item as the answer has it; undefined until then. */
  get item(): UpstreamItemPart | undefined {
    return this.#item;
  }

  /** An event of the upstream about the item: a stage, a piece of what it writes, a partial image. */
  progress({ eventType, json }: ItemProgress): void {
    const event = parsed(json);
    const stage = eventType.slice(eventType.lastIndexOf(".") + 1);
    this.#written.appendData(word(event, "delta") || word(event, "delta", "stdout") + word(event, "delta", "stderr"));
    this.#draw(word(event, "partial_image_b64"), event, "The image so far");
    if (stage === "delta" && this.#written.isConnected) return;
    const failed = stage === "failed";
    const what = failed || stage === "completed" ? this.#kind.did : `${STAGES[stage] ?? this.#kind.doing} …`;
    this.#render({ what, under: this.#written.length > 0 ? [block("", this.#written)] : [], open: true, failed });
  }

  finish(item: UpstreamItemPart): void {
    this.#item = item;
    const fields = parsed(item.json);
    if (this.#kind.icon === "image") {
      this.#draw(word(fields, "result"), fields, word(fields, "revised_prompt") || "An image that the model drew");
    }
    const shown = this.#kind.show(fields);
    this.#render({ ...shown, failed: shown.failed || ["failed", "incomplete"].includes(word(fields, "status")) });
  }

  #draw(base64: string, fields: unknown, alt: string): void {
    if (base64 !== "") this.#picture.show(base64, word(fields, "output_format"), word(fields, "size"), alt);
  }

  #render({ what, about = "", under = [], open = false, failed = false }: Shown): void {
    const words: (Node | string)[] = [el("span.what", {}, what)];
    if (about !== "") words.push(" ", el("span.about", {}, about));
    if (failed) words.push(" ", el("span.failed", {}, "· failed"));
    const picture = this.#picture.element;
    const below = [picture.hasChildNodes() ? picture : undefined, ...under].filter((node) => node !== undefined);
    if (open || below.length === 0) return this.element.replaceChildren(el("p.row", {}, ...words), ...below);
    this.element.replaceChildren(el("details", {}, el("summary.row", {}, ...words), ...below));
  }
}
