/** Links to what the model read, and the list of what its text cites. */
import type { Fields } from "trunkline/web";
import { el } from "./dom.js";
import { word } from "./json.js";

/** The address where it is one of the web. Never `javascript:` and the like. */
export function webUrl(address: string): URL | undefined {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  return url?.protocol === "http:" || url?.protocol === "https:" ? url : undefined;
}

/** A link that opens beside the page. Plain text where the address is none of the web. */
export function link(address: string, title = ""): HTMLElement {
  const url = webUrl(address);
  if (url === undefined) return el("span", {}, title || address);
  return el("a", { href: url.href, target: "_blank", rel: "noopener noreferrer" }, title || address);
}

/** What the text cites, each source once, numbered in the order of the text. Undefined: nothing. */
export function citedSources(annotations: readonly Fields[]): HTMLElement | undefined {
  const entries = new Map<string, HTMLElement>();
  for (const annotation of annotations) {
    const [url, file] = [word(annotation, "url"), word(annotation, "file_id")];
    const name = word(annotation, "title") || word(annotation, "filename");
    const key = url || file || name;
    if (key !== "" && !entries.has(key)) entries.set(key, entry(url, name || url || file));
  }
  if (entries.size === 0) return undefined;
  const heading = el("p.quiet", { "aria-hidden": "true" }, "Sources");
  return el("section.sources", { "aria-label": "Sources" }, heading, el("ol", {}, ...entries.values()));
}

function entry(address: string, title: string): HTMLElement {
  const host = webUrl(address)?.host.replace(/^www\./, "");
  const about = host === undefined || title.includes(host) ? [] : [" ", el("span.quiet", {}, host)];
  return el("li", {}, address ? link(address, title) : title, ...about);
}
