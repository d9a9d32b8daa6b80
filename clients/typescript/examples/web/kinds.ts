/** What is said of each kind of item: while it runs, when it is done, and of what it holds. */
import { el } from "./dom.js";
import { at, list, pretty, word } from "./json.js";
import { link } from "./sources.js";

const LONGEST = 20_000;

/** A row: what happened, with what, and what stands under it. */
export interface Shown {
  readonly what: string;
  readonly about?: string | Node;
  readonly under?: readonly (Node | undefined)[];
  /** Whether what stands under it is shown at once. */
  readonly open?: boolean;
  readonly failed?: boolean;
}

export interface Kind {
  readonly icon: "search" | "code" | "image" | "server" | "lock" | "other";
  readonly doing: string;
  readonly did: string;
  /** Reads the item of the upstream, of which no field is sure. */
  readonly show: (item: unknown) => Shown;
}

const KINDS: Record<string, Kind> = {
  web_search_call: { icon: "search", doing: "Searching the web", did: "Searched the web", show: webSearch },
  file_search_call: { icon: "search", doing: "Searching files", did: "Searched files", show: fileSearch },
  code_interpreter_call: { icon: "code", doing: "Writing code", did: "Ran code", show: codeRun },
  image_generation_call: { icon: "image", doing: "Drawing an image", did: "Drew an image", show: image },
  mcp_call: { icon: "server", doing: "Calling an MCP server", did: "Called an MCP server", show: mcpCall },
  mcp_list_tools: { icon: "server", doing: "Asking an MCP server for its tools", did: "Listed tools", show: mcpTools },
  mcp_approval_request: { icon: "lock", doing: "Asking for approval", did: "Asks for approval", show: approvalRequest },
};

/** By its type, which may be newer than this page. */
export function kindOf(type: string): Kind {
  const name = nameOf(type);
  const show = (item: unknown) => ({ what: name, under: [block("JSON", cut(pretty(item)))] });
  return Object.hasOwn(KINDS, type) ? KINDS[type]! : { icon: "other", doing: name, did: name, show };
}

/** "local_shell_call" → "Local shell call" */
export function nameOf(type: string): string {
  const words = type.replaceAll("_", " ").replace(/^mcp\b/, "MCP").trim() || "item";
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** "tide.at on harbour" */
export function toolOf(item: unknown): string {
  return `${word(item, "name")} on ${word(item, "server_label")}`;
}

/** Text in its own lines, under a name. Undefined: there is none. */
export function block(name: string, content: string | Text): HTMLElement | undefined {
  if (content === "") return undefined;
  const title = name === "" ? [] : [el("figcaption.quiet", {}, name)];
  return el("figure.block", {}, ...title, el("pre", { tabindex: "0" }, content));
}

function webSearch(item: unknown): Shown {
  const action = at(item, "action");
  const [url, pattern] = [word(action, "url"), word(action, "pattern")];
  if (pattern !== "") return { what: "Looked in a page", about: el("span", {}, `for “${pattern}” in `, link(url)) };
  if (word(action, "type") === "open_page") return { what: "Opened a page", about: link(url) };
  const queries = list(action, "queries").join("; ") || word(action, "query");
  const sources = list(action, "sources").map((source) => link(word(source, "url") || word(source, "name")));
  return { what: "Searched the web", about: queries, under: [bullets("Sources", sources)] };
}

function fileSearch(item: unknown): Shown {
  const found = list(item, "results").map((result) => {
    const name = el("strong", {}, word(result, "filename") || word(result, "file_id"));
    return el("span", {}, name, " ", cut(word(result, "text")));
  });
  return { what: "Searched files", about: list(item, "queries").join("; "), under: [bullets("Found", found)] };
}

function codeRun(item: unknown): Shown {
  const outputs = list(item, "outputs").map((output) => {
    const url = word(output, "url");
    if (word(output, "type") !== "image") return block("Output", cut(word(output, "logs")));
    return url.startsWith("data:image/") ? el("img.plot", { src: url, alt: "What the code drew" }) : link(url, "An image");
  });
  return { what: "Ran code", under: [block("Code", cut(word(item, "code"))), ...outputs], open: true };
}

/** The image itself is kept by its row. */
function image(item: unknown): Shown {
  const about = word(item, "error", "message") || word(item, "revised_prompt");
  return { what: "Drew an image", under: about === "" ? [] : [el("p.quiet", {}, about)], open: true };
}

function mcpCall(item: unknown): Shown {
  const error = at(item, "error");
  const said = list(error, "content").map((content) => word(content, "text"));
  const problem = said.join("\n") || (error ? pretty(error) : "");
  const result = problem ? block("Failed", cut(problem)) : block("Returned", cut(pretty(word(item, "output"))));
  return { what: "Called", about: toolOf(item), under: [args(item), result], failed: problem !== "" };
}

function mcpTools(item: unknown): Shown {
  const [server, error] = [word(item, "server_label"), at(item, "error")];
  if (error) return { what: "Asked for the tools of", about: server, under: [block("Error", pretty(error))], failed: true };
  const tools = list(item, "tools").map((tool) => {
    return el("span", {}, el("strong", {}, word(tool, "name")), " ", word(tool, "description"));
  });
  const count = tools.length === 1 ? "1 tool" : `${tools.length} tools`;
  return { what: `Listed ${count} of`, about: server, under: [bullets("Tools", tools)] };
}

function approvalRequest(item: unknown): Shown {
  return { what: "Asks for approval to call", about: toolOf(item), under: [args(item)], open: true };
}

/** Whole: nobody should approve what they cannot read. */
function args(item: unknown): HTMLElement | undefined {
  return block("Arguments", pretty(word(item, "arguments")));
}

function bullets(name: string, entries: readonly HTMLElement[]): HTMLElement | undefined {
  if (entries.length === 0) return undefined;
  return el("ul", { "aria-label": name }, ...entries.map((entry) => el("li", {}, entry)));
}

function cut(text: string): string {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST)}… (${text.length - LONGEST} more characters)`;
}
