/** A text of the model on the page: Markdown, rendered in step with the screen. */
import { el } from "./dom.js";
import { follow } from "./follow.js";
import { GrowingMarkdown } from "./markdown.js";

/** How long a model that pauses may leave its last words unseen. */
const PAUSE_MS = 250;
/** Some text takes long to read, such as thousands of brackets: each rendering leaves the page so many times as long. */
const REST = 4;
const FRAME_MS = 16;

export class Prose {
  readonly element = el("div.text");
  readonly #markdown = new GrowingMarkdown();
  #growing: Node[] = [];
  #frame = 0;
  #pause = 0;
  #tookMs = 0;

  append(text: string): void {
    this.#markdown.append(text);
    const restMs = REST * this.#tookMs;
    const render = () => follow(() => this.#render());
    if (this.#markdown.isDue && restMs < FRAME_MS) this.#frame ||= requestAnimationFrame(render);
    else this.#pause ||= window.setTimeout(render, this.#markdown.isDue ? restMs : Math.max(PAUSE_MS, restMs));
  }

  /** Shows all of it at once: nothing more comes. */
  end(): void {
    this.#render(true);
  }

  #render(last = false): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#pause);
    this.#frame = this.#pause = 0;
    const began = performance.now();
    const { finished, growing } = this.#markdown.render(last);
    for (const node of this.#growing) this.element.removeChild(node);
    this.element.append(nodesOf(finished));
    const nodes = nodesOf(growing);
    this.#growing = [...nodes.childNodes];
    this.element.append(nodes);
    this.#tookMs = performance.now() - began;
  }
}

/** Of HTML that markdown-it made. */
function nodesOf(html: string): DocumentFragment {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}
