/**
 * Markdown of the model as HTML, while it comes.
 *
 * No HTML of the model's reaches the page: markdown-it escapes it, only addresses of the web become links, and an
 * image becomes a link, since loading it would tell a stranger what the model wrote.
 *
 * To render a whole answer again for each piece of it would cost the square of its length. Only the last block is
 * rendered again, since nothing that follows changes a block before it. That block may be long, too, such as a listing:
 * it is rendered again when it has grown by `GROWTH`, so all renderings of a block of n characters together read at most
 * n + n / 1.02 + n / 1.02² + … = 51 n of them. The short rest is due when the model pauses.
 */
import type { Env } from "markdown-it";
import MarkdownIt from "markdown-it";
import remend from "remend";
import { webUrl } from "./sources.js";

const GROWTH = 0.02;

const markdown = new MarkdownIt({ html: false, linkify: true });
markdown.validateLink = (address) => webUrl(address) !== undefined;
markdown.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
markdown.renderer.rules["image"] = (tokens, index) => {
  const token = tokens[index]!;
  return anchor(String(token.attrGet("src")), token.content || String(token.attrGet("src")));
};
markdown.renderer.rules["link_open"] = (tokens, index, options, _env, renderer) => {
  for (const [name, value] of Object.entries(BESIDE)) tokens[index]!.attrSet(name, value);
  return renderer.renderToken(tokens, index, options);
};
markdown.renderer.rules["table_open"] = () => '<div class="wide"><table>';
markdown.renderer.rules["table_close"] = () => "</table></div>";

/** Opens beside the page, which the other one cannot reach. */
const BESIDE = { target: "_blank", rel: "noopener noreferrer" };

function anchor(href: string, text: string): string {
  const escaped = markdown.utils.escapeHtml;
  return `<a href="${escaped(href)}" target="${BESIDE.target}" rel="${BESIDE.rel}">${escaped(text)}</a>`;
}

/** What a half of it is completed with, so that `**bol` is bold already. What is not listed would change more than its end. */
const HALVES = {
  linkMode: "text-only",
  comparisonOperators: false,
  htmlTags: false,
  katex: false,
  singleTilde: false,
} as const;

/** Marks of which nobody can say yet what they mean. */
const BARE_END = /(?<=^|\s)[*_~`]+$/;

/** What to change: blocks that are finished, and after them the one that grows. */
export interface Change {
  readonly finished: string;
  readonly growing: string;
}

export class GrowingMarkdown {
  /** From the beginning of the last block on. */
  #rest = "";
  #rendered = 0;
  /** The addresses that links refer to by name. */
  readonly #env: Env = {};

  append(text: string): void {
    this.#rest += text;
  }

  /** Whether enough is new. */
  get isDue(): boolean {
    return this.#rest.length - this.#rendered >= GROWTH * this.#rest.length;
  }

  /** Renders what is new; the last time, as it stands. */
  render(last = false): Change {
    const blocks = markdown.parse(this.#rest, this.#known()).filter(({ level, nesting }) => level === 0 && nesting >= 0);
    const begin = startOf(blocks.at(-1)?.map?.[0] ?? 0, this.#rest);
    const finished = markdown.render(this.#rest.slice(0, begin), this.#env);
    this.#rest = this.#rest.slice(begin);
    this.#rendered = this.#rest.length;
    const whole = last ? this.#rest : remend(this.#rest.replace(BARE_END, ""), HALVES);
    return { finished, growing: markdown.render(whole, this.#known()) };
  }

  /** A copy: half an address of the block that grows must not be remembered. */
  #known(): Env {
    return { references: { ...this.#env.references } };
  }
}

/** Where a line begins. */
function startOf(line: number, text: string): number {
  let at = 0;
  for (; line > 0; line -= 1) at = text.indexOf("\n", at) + 1;
  return at;
}
