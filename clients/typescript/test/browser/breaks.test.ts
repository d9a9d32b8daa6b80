/** A page that is loaded again, and connections that break: the answer goes on, and is paid once. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ask, page, problems, reports, stack } from "./page.js";

const AWAY_MS = 5000;

let before: number;

beforeEach(async () => {
  before = await stack.requests();
});

async function paid(): Promise<number> {
  return (await stack.requests()) - before;
}

/** `word1 word2 …`, what `sim:slow` says. */
function words(count: number): string {
  return Array.from({ length: count }, (_, index) => `word${index + 1}`).join(" ");
}

test("a reload in the middle of an answer: it goes on, and so does the conversation", async () => {
  await ask("sim:say(text=First.)");
  const [first] = await reports(1);
  await ask("sim:slow(n=120, delay_ms=25)");
  await page.getByText("word9").waitFor();
  await page.reload();
  const slow = page.locator(".text").nth(1);
  await page.getByText("word9").waitFor();
  const questions = await page.locator(".question").allInnerTexts();
  assert.deepEqual(questions, ["You:\nsim:say(text=First.)", "You:\nsim:slow(n=120, delay_ms=25)"]);
  assert.ok(!(await slow.innerText()).includes("word120"), "it still streams");
  const [again, second] = await reports(2);
  assert.equal(again, first, "what the first turn did stands there again");
  assert.match(second!, /incremental, continued/);
  assert.equal(await slow.innerText(), words(120));
  assert.equal(await paid(), 2);
  await ask("And on?");
  const [, , third] = await reports(3);
  assert.match(third!, /incremental, continued/);
  assert.deepEqual(problems, []);
});

test("a reload after an answer, and in a new chat", async () => {
  await ask("sim:tools(n=2)");
  await reports(3);
  const shown = await page.locator("#log").innerText();
  await page.reload();
  await page.getByLabel("What the turn did").nth(2).waitFor();
  assert.equal(await page.locator("#log").innerText(), shown);
  assert.match(await page.locator("#tally").innerText(), /saved so far/);
  assert.equal(await paid(), 3);
  await page.getByRole("button", { name: "New chat" }).click();
  await page.reload();
  await page.getByRole("heading", { name: "Talk over a warm line." }).waitFor();
  assert.equal(await page.locator("#log").innerText(), "");
});

test("a reload while an approval waits", async () => {
  await ask("sim:mcp");
  await reports(1);
  await page.reload();
  await page.getByRole("button", { name: "Approve" }).click();
  await reports(2);
  assert.equal(await page.locator(".text").innerText(), "The tide is at 2.4 m.");
  assert.equal(await paid(), 2);
});

test("reloads in the middle of a run: its tools go on, and so does the turn that runs", async () => {
  await ask("sim:tools(n=20)");
  for (const call of [3, 8, 12]) {
    await page.locator(".call").nth(call).waitFor();
    await page.reload();
  }
  await reports(21);
  assert.equal(await page.locator(".call").getByText("returned").count(), 20);
  assert.match(await page.locator(".text").innerText(), /I called clock 20 times/);
  assert.equal(await paid(), 21);
  assert.deepEqual(problems, []);
});

test("a page that comes back too late asks nothing by itself", async () => {
  await ask("sim:slow(n=400, delay_ms=25)");
  await page.getByText("word3").waitFor();
  await page.addInitScript(() => {
    const chat = JSON.parse(sessionStorage.getItem("trunkline.chat")!);
    chat.running.at -= 3_600_000;
    sessionStorage.setItem("trunkline.chat", JSON.stringify(chat));
  });
  await page.reload();
  assert.equal(await page.getByLabel("Message").inputValue(), "sim:slow(n=400, delay_ms=25)");
  assert.equal(await page.locator("#log").innerText(), "");
  assert.equal(await paid(), 1);
});

test("a chat that is too large for the browser is not kept, and what is broken is none", async () => {
  await ask(`sim:say(text=Well.) ${"a".repeat(6_000_000)}`);
  await reports(1);
  await page.reload();
  await page.getByRole("heading", { name: "Talk over a warm line." }).waitFor();
  await page.addInitScript(() => sessionStorage.setItem("trunkline.chat", "{"));
  await page.reload();
  await ask("sim:say(text=Well.)");
  await reports(1);
  assert.deepEqual(problems, []);
});

test("after a stop there is nothing to go on with", async () => {
  await ask("sim:slow(n=400, delay_ms=25)");
  await page.getByText("word3").waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("Stopped.").first().waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Talk over a warm line." }).waitFor();
  assert.equal(await paid(), 1);
});

async function loseNetwork(): Promise<void> {
  await page.context().setOffline(true); // for new connections only
  await stack.loseConnection();
  await stack.restoreConnection();
}

for (const [what, lose, restore] of [
  ["Envoy", () => stack.loseConnection(), () => stack.restoreConnection()],
  ["the network", loseNetwork, () => page.context().setOffline(false)],
] as const) {
  test(`${what} goes away for ${AWAY_MS / 1000} s: the page says so calmly, and the answer goes on`, async () => {
    await ask("sim:slow(n=300, delay_ms=25)");
    await page.getByText("word9").waitFor();
    await lose();
    const note = page.locator(".broken");
    assert.match(await note.innerText(), /Reconnecting; the answer will go on/);
    await sleep(AWAY_MS);
    assert.equal(await page.getByRole("alert").count(), 0);
    await restore();
    await note.waitFor({ state: "detached" });
    await reports(1);
    assert.equal(await page.locator(".text").innerText(), words(300));
    assert.equal(await paid(), 1);
    assert.deepEqual(problems, []);
  });
}

test("a network that swallows everything is noticed by its silence", async () => {
  await ask("sim:slow(n=600, delay_ms=25)");
  await page.getByText("word9").waitFor();
  stack.silence();
  try {
    await page.locator(".broken").waitFor();
  } finally {
    stack.goOn();
  }
  await reports(1);
  assert.equal(await page.locator(".text").innerText(), words(600));
  assert.equal(await paid(), 1);
  assert.deepEqual(problems, []);
});

test("a connection that stays away is shown, and another try goes on with the same answer", async () => {
  await ask("sim:slow(n=100, delay_ms=25)");
  await page.getByText("word9").waitFor();
  await stack.loseConnection();
  const alert = page.getByRole("alert");
  assert.match(await alert.innerText(), /The connection is lost\.[\s\S]*goes on with this answer/);
  await stack.restoreConnection();
  await page.getByRole("button", { name: "Try again" }).click();
  await reports(1);
  assert.equal(await alert.count(), 0);
  assert.equal(await page.locator(".text").innerText(), words(100));
  assert.equal(await paid(), 1);
  assert.deepEqual(problems, []);
});
