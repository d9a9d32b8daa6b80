/** The page: its dialog of settings, the composer, and one conversation over gRPC-Web. */
import type { Client, Conversation, Done, Message, Run } from "trunkline/web";
import { actionResult, connect, textOf, TrunklineError, user } from "trunkline/web";
import { Answer, spoken } from "./answer.js";
import { answerable, approvalsIn, waitsFor } from "./approvals.js";
import { known, size } from "./dom.js";
import { mayGoOn } from "./failure.js";
import { follow } from "./follow.js";
import type { Chat, End, Running } from "./keeping.js";
import { keep, kept } from "./keeping.js";
import { questionOf, shownAgain } from "./restore.js";
import { SETTINGS, setting, settingsNow, store } from "./settings.js";
import { hosted, reported, tools } from "./tools.js";

/** How long the service keeps a turn that nobody reads: for a reload, or until the network is back. */
const LINGER_MS = 60_000;
const HEARTBEAT_MS = 3000;

const log = known("log", HTMLOListElement);
const message = known("message", HTMLTextAreaElement);
const send = known("send", HTMLButtonElement);
const stop = known("stop", HTMLButtonElement);
const settings = known("settings", HTMLDialogElement);

let token = "";
let client: Client;
let conversation: Conversation;
let run: Run | undefined;
/** What the run was given, and how many messages there were before. */
let given: { asked: Message | undefined; before: number } | undefined;
/** How the answers of the conversation ended. */
let ends = new WeakMap<Message, End>();
let saved = 0;
/** What waits for the reader: the answer, all that is shown since the question, and the number of its first message. */
let waiting: { shown: Answer; elements: HTMLElement[]; from: number } | undefined;

function begin(): void {
  run?.cancel();
  // Nobody returns to this session. The service would also forget it by itself after a while.
  conversation?.release().catch(() => undefined);
  keep();
  open();
}

/** A new conversation, or one that was kept. */
function open({ sessionId, said = [], continuation, saved: before = 0 }: Partial<Chat> = {}): void {
  client = connect(setting("address"), { token: () => token });
  const theirs = hosted(setting("tools")) ?? [];
  conversation = client.conversation({
    sessionId,
    model: setting("model"),
    instructions: setting("instructions"),
    tools: [...tools, ...theirs],
    include: reported(theirs),
    messages: said.map(([message]) => message),
    continuation,
    resume: true,
    lingerMs: LINGER_MS,
    heartbeatMs: HEARTBEAT_MS,
  });
  ends = new WeakMap(said.flatMap(([message, end]) => (end === undefined ? [] : [[message, end] as const])));
  waiting = undefined;
  log.replaceChildren();
  tally(before);
  known("welcome", HTMLElement).hidden = false;
  message.focus();
}

/** Shows what was kept, and goes on where it was. */
function restore(chat: Chat): void {
  open(chat);
  const { elements, question, from, answer: shown } = shownAgain(chat.said);
  if (elements.length > 0) known("welcome", HTMLElement).hidden = true;
  log.append(...elements);
  const [last, end] = chat.said.at(-1) ?? [];
  if (chat.running !== undefined) resume(chat.running, question, from, shown);
  else if (last !== undefined && end !== undefined && shown !== undefined) {
    wait({ stopReason: end.stopReason, actions: approvalsIn(last) }, question, shown, from);
  }
  known("page", HTMLElement).scrollTop = known("page", HTMLElement).scrollHeight;
}

/** Goes on with the run that was kept: the service still has its turn, unless the page was away for too long. */
function resume({ asked, turnKey, at }: Running, question: HTMLElement, from: number, shown: Answer | undefined): void {
  const text = asked && textOf(asked);
  if (Date.now() - at > LINGER_MS) message.value = text ?? "";
  else if (asked === undefined) void answer(question, undefined, { turnKey, shown, before: from });
  else void answer(text ? show(questionOf(text)) : (shown?.element ?? question), asked, { turnKey });
}

/** Keeps what a reload must not lose. */
function save(): void {
  const { sessionId, continuation, messages } = conversation;
  const running = run && runningNow(run);
  if (messages.length === 0 && running === undefined) return keep();
  const said = messages.map((message) => [message, ends.get(message)] as const);
  keep({ settings: settingsNow(), sessionId, continuation, saved, said, running });
}

/** Between two turns of a run nothing is asked, and its tools may run again. */
function runningNow({ turn }: Run): Running | undefined {
  const at = Date.now();
  if (turn?.done !== undefined) return conversation.openCalls().length > 0 ? { at } : undefined;
  const begun = given === undefined || conversation.messages.length > given.before;
  return { asked: begun ? undefined : given?.asked, turnKey: turn?.key, at };
}

function show(element: HTMLElement): HTMLElement {
  known("welcome", HTMLElement).hidden = true;
  log.append(element);
  return element;
}

async function ask(question: string): Promise<void> {
  leaveWaiting();
  for (const again of log.querySelectorAll(".notice button")) again.remove();
  await answer(show(questionOf(question)), user(question));
}

interface Begun {
  /** The key of a turn that runs already. */
  turnKey?: string;
  /** Where it is shown, and how many messages there were before it, if the run has begun before. */
  shown?: Answer;
  before?: number;
}

/** Shows a run below what began it: a question, or the answer that waited. */
async function answer(element: HTMLElement, asked?: Message, begun: Begun = {}): Promise<void> {
  const { messages } = conversation;
  const { shown = new Answer(), before = messages.length, turnKey } = begun;
  log.append(shown.element);
  shown.element.scrollIntoView({ block: "end" });
  const onBreak = (error?: TrunklineError) => {
    follow(() => shown.reconnecting(error !== undefined));
    say(error === undefined ? "The answer goes on." : "The connection broke. Reconnecting.");
  };
  const mine = (run = conversation.run(asked, { turnKey, onBreak }));
  given = { asked, before };
  setBusy(true);
  say("The model is answering.");
  try {
    for await (const event of mine) {
      follow(() => {
        shown.results(messages.slice(before));
        shown.event(event);
      });
      if (event.kind === "done") {
        ends.set(event.message, { report: event.report, stopReason: event.stopReason });
        tally(saved + event.report.bytesSaved);
        say(spoken(event));
      }
    }
    const { done } = mine;
    if (done !== undefined && messages === conversation.messages) follow(() => wait(done, element, shown, before));
  } catch (error) {
    if (!(error instanceof TrunklineError)) throw error;
    const begun = messages.length > before; // its first turn has ended well
    if (!begun) element.classList.add("undone");
    follow(() => {
      shown.results(messages.slice(before));
      shown.failed(error, () => {
        if (run !== undefined) return;
        element.classList.remove("undone");
        shown.element.remove();
        const turnKey = mayGoOn(error) ? mine.turn?.key : undefined;
        void answer(element, begun ? undefined : asked, { turnKey });
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
function wait({ stopReason, actions }: Pick<Done, "stopReason" | "actions">, asked: HTMLElement, shown: Answer, before: number): void {
  const { elements, from } = waiting ?? { elements: [asked], from: before };
  waiting = undefined;
  if (stopReason !== "action_required") return;
  waiting = { shown, elements: [...elements, shown.element], from };
  if (!answerable(actions)) return leaveWaiting(waitsFor(actions));
  shown.ask(actions, (answers) => void answer(shown.element, actionResult(...answers)));
}

/** Takes the turns that wait out of the conversation: no question can be asked before their answer. */
function leaveWaiting(why?: string): void {
  if (waiting === undefined) return;
  conversation.messages.splice(waiting.from);
  waiting.shown.leave(why);
  for (const element of waiting.elements) if (element !== waiting.shown.element) element.classList.add("undone");
  waiting = undefined;
}

function setBusy(busy: boolean): void {
  const focused = document.activeElement === send || document.activeElement === stop;
  send.hidden = busy;
  stop.hidden = !busy;
  if (focused) (busy ? stop : message).focus();
}

/** How many bytes the service has saved. */
function tally(bytes: number): void {
  saved = bytes;
  known("tally", HTMLElement).textContent = bytes > 0 ? `${size(bytes)} saved so far` : "";
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
  store(Object.fromEntries(SETTINGS.map((name) => [name, field(name).value.trim()])));
  token = field("token").value;
  if (location.search !== "") history.replaceState(null, "", location.pathname);
  begin();
});

function field(name: string): HTMLInputElement | HTMLTextAreaElement {
  return settings.querySelector("form")!.elements.namedItem(name) as HTMLInputElement | HTMLTextAreaElement;
}

// The first is the last that a page hears before a reload, the second before a phone takes a hidden page away.
addEventListener("pagehide", save);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") save();
});

const chat = kept(settingsNow());
if (chat === undefined) begin();
else restore(chat);
