/** The page: settings, the composer, and one conversation over gRPC-Web. */
import type { Client, Conversation, Run } from "trunkline/web";
import { connect, TrunklineError } from "trunkline/web";
import { Answer, spoken } from "./answer.js";
import { el, known, size } from "./dom.js";
import { hosted, reported, tools } from "./tools.js";

const FOLLOW_PX = 120;
const STORED = "trunkline";
const SETTINGS = ["address", "model", "instructions", "tools"] as const;

const log = known("log", HTMLOListElement);
const message = known("message", HTMLTextAreaElement);
const send = known("send", HTMLButtonElement);
const stop = known("stop", HTMLButtonElement);
const settings = known("settings", HTMLDialogElement);

let token = "";
let client: Client;
let conversation: Conversation;
let run: Run | undefined;
let saved = 0;

/** What the address bar says, else what was saved, else the default. */
function setting(name: (typeof SETTINGS)[number]): string {
  const stored: unknown = JSON.parse(localStorage.getItem(STORED) ?? "{}");
  const defaults = {
    address: `${location.protocol}//${location.hostname}:8080`,
    model: "gpt-5.6",
    instructions: "Be brief.",
    tools: "",
  };
  const asked = new URLSearchParams(location.search).get(name);
  return asked ?? (stored as Record<string, string>)[name] ?? defaults[name];
}

function begin(): void {
  run?.cancel();
  // Nobody returns to this session. The service would also forget it by itself after a while.
  conversation?.release().catch(() => undefined);
  client = connect(setting("address"), { token: () => token });
  const theirs = hosted(setting("tools")) ?? [];
  conversation = client.conversation({
    model: setting("model"),
    instructions: setting("instructions"),
    tools: [...tools, ...theirs],
    include: reported(theirs),
  });
  saved = 0;
  log.replaceChildren();
  known("tally", HTMLElement).textContent = "";
  known("welcome", HTMLElement).hidden = false;
  message.focus();
}

async function ask(question: string): Promise<void> {
  known("welcome", HTMLElement).hidden = true;
  const asked = el("li.question", {}, el("span.unseen", {}, "You: "), question);
  log.append(asked);
  await answer(asked, question);
}

/** Without a question the run goes on where a failure left it: its first turn has ended well. */
async function answer(asked: HTMLElement, question?: string): Promise<void> {
  const shown = new Answer();
  log.append(shown.element);
  shown.element.scrollIntoView({ block: "end" });
  const mine = (run = conversation.run(question));
  const { messages } = conversation;
  const before = messages.length;
  setBusy(true);
  say("The model is answering.");
  try {
    for await (const event of mine) {
      follow(() => {
        shown.results(messages.slice(before));
        shown.event(event);
      });
      if (event.kind === "done") {
        saved += event.report.bytesSaved;
        known("tally", HTMLElement).textContent = saved > 0 ? `${size(saved)} saved so far` : "";
        say(spoken(event.message));
      }
    }
  } catch (error) {
    if (!(error instanceof TrunklineError)) throw error;
    const rest = messages.length > before ? undefined : question;
    if (rest !== undefined) asked.classList.add("undone");
    follow(() => {
      shown.results(messages.slice(before));
      shown.failed(error, () => {
        if (run !== undefined) return;
        asked.classList.remove("undone");
        shown.element.remove();
        void answer(asked, rest);
      });
    });
    say(error.reason === "CANCELLED" ? "Stopped." : "");
  } finally {
    if (run === mine) {
      run = undefined;
      setBusy(false);
    }
  }
}

/** Keeps the end in sight, unless the reader has scrolled away from it. */
function follow(change: () => void): void {
  const page = known("page", HTMLElement);
  const near = page.scrollHeight - page.scrollTop - page.clientHeight < FOLLOW_PX;
  change();
  if (near) page.scrollTop = page.scrollHeight;
}

function setBusy(busy: boolean): void {
  const focused = document.activeElement === send || document.activeElement === stop;
  send.hidden = busy;
  stop.hidden = !busy;
  if (focused) (busy ? stop : message).focus();
}

function say(text: string): void {
  known("spoken", HTMLElement).textContent = text;
}

known("composer", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  const question = message.value.trim();
  if (question === "" || run !== undefined) return;
  message.value = "";
  void ask(question);
});

message.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  message.form?.requestSubmit();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !settings.open) run?.cancel();
});

stop.addEventListener("click", () => run?.cancel());
known("new", HTMLButtonElement).addEventListener("click", begin);

for (const suggestion of document.querySelectorAll<HTMLButtonElement>(".suggestion")) {
  suggestion.addEventListener("click", () => {
    message.focus();
    if (run === undefined) void ask(suggestion.textContent ?? "");
  });
}

known("open-settings", HTMLButtonElement).addEventListener("click", () => {
  for (const name of SETTINGS) field(name).value = setting(name);
  field("token").value = token;
  settings.returnValue = "cancel";
  settings.showModal();
});

field("tools").addEventListener("input", () => {
  const wrong = hosted(field("tools").value) === undefined;
  field("tools").setCustomValidity(wrong ? 'Write a JSON list of tools, such as [{"type": "web_search"}], or nothing.' : "");
});

known("cancel", HTMLButtonElement).addEventListener("click", () => settings.close());
settings.addEventListener("close", () => {
  if (settings.returnValue !== "save") return;
  const entries = SETTINGS.map((name) => [name, field(name).value.trim()]);
  localStorage.setItem(STORED, JSON.stringify(Object.fromEntries(entries)));
  token = field("token").value;
  if (location.search !== "") history.replaceState(null, "", location.pathname);
  begin();
});

function field(name: string): HTMLInputElement | HTMLTextAreaElement {
  return settings.querySelector("form")!.elements.namedItem(name) as HTMLInputElement | HTMLTextAreaElement;
}

begin();
