/** The page: settings, the composer, and one conversation over gRPC-Web. */
import type { Client, Conversation, Done, Run } from "trunkline/web";
import { connect, TrunklineError } from "trunkline/web";
import { Answer, spoken } from "./answer.js";
import { answerable, waitsFor } from "./approvals.js";
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
/** What waits for the reader: the answer, all that is shown since the question, and the number of its first message. */
let waiting: { shown: Answer; elements: HTMLElement[]; from: number } | undefined;

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
  waiting = undefined;
  log.replaceChildren();
  known("tally", HTMLElement).textContent = "";
  known("welcome", HTMLElement).hidden = false;
  message.focus();
}

async function ask(question: string): Promise<void> {
  known("welcome", HTMLElement).hidden = true;
  leaveWaiting();
  for (const again of log.querySelectorAll(".notice button")) again.remove();
  const asked = el("li.question", {}, el("span.unseen", {}, "You: "), question);
  log.append(asked);
  await answer(asked, () => conversation.run(question));
}

/** Shows a run below what began it: a question, or the answer that waited. */
async function answer(asked: HTMLElement, start: () => Run): Promise<void> {
  const shown = new Answer();
  log.append(shown.element);
  shown.element.scrollIntoView({ block: "end" });
  const mine = (run = start());
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
        say(spoken(event));
      }
    }
    const { done } = mine;
    if (done !== undefined && messages === conversation.messages) follow(() => wait(done, asked, shown, before));
  } catch (error) {
    if (!(error instanceof TrunklineError)) throw error;
    const begun = messages.length > before; // its first turn has ended well
    if (!begun) asked.classList.add("undone");
    follow(() => {
      shown.results(messages.slice(before));
      shown.failed(error, () => {
        if (run !== undefined) return;
        asked.classList.remove("undone");
        shown.element.remove();
        void answer(asked, begun ? () => conversation.run() : start);
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

/** Lets the reader answer what the model waits for; where nobody here can, the conversation goes on without it. */
function wait({ stopReason, actions }: Done, asked: HTMLElement, shown: Answer, before: number): void {
  const { elements, from } = waiting ?? { elements: [asked], from: before };
  waiting = undefined;
  if (stopReason !== "action_required") return;
  waiting = { shown, elements: [...elements, shown.element], from };
  if (!answerable(actions)) return leaveWaiting(waitsFor(actions));
  shown.ask(actions, (answers) => void answer(shown.element, () => conversation.answer(answers)));
}

/** Takes the turns that wait out of the conversation: no question can be asked before their answer. */
function leaveWaiting(why?: string): void {
  if (waiting === undefined) return;
  conversation.messages.splice(waiting.from);
  waiting.shown.leave(why);
  for (const element of waiting.elements) if (element !== waiting.shown.element) element.classList.add("undone");
  waiting = undefined;
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
