/** The chat page in a real Chromium, through a real Envoy. SCREENSHOTS=folder also takes its pictures. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { BrowserContextOptions } from "playwright-core";
import { ask, open, page, problems, reports, stack } from "./page.js";

test("a streamed turn, and a warm one after it", async () => {
  await ask("sim:slow(n=40, delay_ms=25)");
  const text = page.locator(".text").first();
  await page.waitForFunction(() => document.querySelector(".text")?.textContent?.includes("word3"));
  const early = await text.innerText();
  assert.ok(!early.includes("word40"), "it streams");
  const [first] = await reports(1);
  assert.match(await text.innerText(), /word40$/);
  assert.match(first!, /cold/);
  assert.match(first!, /full, first turn/);
  assert.match(first!, /first content \d+/);
  await ask("And again?");
  const [, second] = await reports(2);
  assert.match(second!, /warm/);
  assert.match(second!, /incremental, continued/);
  assert.match(second!, /saved/);
  assert.match(await page.locator("#tally").innerText(), /saved so far/);
  assert.match(await page.getByRole("status").innerText(), /I received 1 new item/);
  assert.deepEqual(problems, []);
});

test("tool calls are shown with what they returned", async () => {
  await ask("sim:tools(n=2)");
  await reports(3);
  const calls = page.locator(".call");
  assert.equal(await calls.count(), 2);
  assert.match(await calls.first().innerText(), /clock[\s\S]*America\/Lima[\s\S]*returned[\s\S]*20\d\d/);
  assert.match(await page.locator(".text").last().innerText(), /I called clock 2 times/);
});

test("reasoning and refusals have their own places", async () => {
  await ask('sim:reason(summary="Looking closely.")');
  await reports(1);
  await page.getByText("Thinking").click();
  await page.getByText("Looking closely.", { exact: true }).waitFor();
  await ask("sim:refuse");
  await reports(2);
  await page.getByText("The model refuses").waitFor();
});

test("a stop in the middle, by button and by key, and then on", async () => {
  await ask("sim:slow(n=400, delay_ms=25)");
  await page.getByText("word3").waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("Stopped.").first().waitFor();
  await ask("sim:slow(n=400, delay_ms=25)");
  await page.locator(".turn").nth(1).getByText("word3").waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".turn.stopped").nth(1).waitFor();
  const stopped = await page.locator(".turn.stopped .text").first().innerText();
  await ask("sim:say(text=Fresh.)");
  await reports(1);
  await page.locator(".text", { hasText: "Fresh." }).waitFor();
  assert.equal(await page.locator(".turn.stopped .text").first().innerText(), stopped, "nothing comes after a stop");
  assert.equal(await page.getByLabel("Message").evaluate((element) => element === document.activeElement), true);
});

test("an error after content: what came stays, the reason is shown", async () => {
  await ask("sim:fail(at=content, message=It broke.)");
  const alert = page.getByRole("alert");
  assert.match(await alert.innerText(), /upstream error/);
  assert.match(await alert.innerText(), /It broke\./);
  assert.match(await alert.innerText(), /may cost twice/);
  assert.match(await page.locator(".turn.wrong .text").innerText(), /^Half of an answer/);
  await ask("sim:say(text=Well.)");
  await reports(1);
});

test("a refused call comes through the proxy with its details, and so does a delay", async () => {
  await ask("sim:fail(code=rate_limit_exceeded, status=429, kind=requests, retry_after=7, message=Slow down.)");
  assert.match(await page.getByRole("alert").innerText(), /Too busy just now[\s\S]*Slow down\.[\s\S]*7\.0 s/);
  await page.goto(`${stack.url}&model=`);
  await ask("Hello.");
  const alert = await page.getByRole("alert").innerText();
  assert.match(alert, /invalid request[\s\S]*model[\s\S]*Nothing was sent to the model/i);
});

test("by keyboard alone, settings too", async () => {
  await page.keyboard.type("sim:say(text=Typed.)");
  await page.keyboard.press("Enter");
  await reports(1);
  await page.keyboard.press("Shift+Tab"); // before the composer: the header
  while ((await page.evaluate(() => document.activeElement?.textContent)) !== "Settings") {
    await page.keyboard.press("Shift+Tab");
  }
  await page.keyboard.press("Enter");
  await page.getByRole("textbox", { name: "Model" }).fill("gpt-other");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Talk over a warm line." }).waitFor();
  await page.goto(stack.url);
  await page.getByRole("button", { name: "Settings" }).click();
  assert.equal(await page.getByRole("textbox", { name: "Model" }).inputValue(), "gpt-other");
});

test("it fits a phone, in the dark too", async () => {
  await open({ viewport: { width: 360, height: 720 }, colorScheme: "dark", isMobile: true, hasTouch: true });
  await ask("sim:tools(n=1)");
  await reports(2);
  await ask("a".repeat(400));
  await reports(3);
  await ask("sim:words(n=400)");
  await reports(4);
  const { scrollWidth, scrollHeight } = await page.evaluate(() => {
    const { scrollWidth, scrollHeight } = document.documentElement;
    return { scrollWidth, scrollHeight };
  });
  assert.ok(scrollWidth <= 360 && scrollHeight <= 720, `${scrollWidth} × ${scrollHeight} pixels`);
});

const folder = process.env["SCREENSHOTS"];

const TIDES = `Twice today, at **06:12** and **18:40**. See the [tables](https://tides.example/callao):

| | high water | low water |
|---|---:|---:|
| morning | 06:12 | 00:05 |
| evening | 18:40 | 12:21 |`;

test("pictures", { skip: folder === undefined && "SCREENSHOTS is not set" }, async () => {
  const desk = { viewport: { width: 1000, height: 760 }, deviceScaleFactor: 2 };
  const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
  const picture = async (name: string, options: BrowserContextOptions, trouble = false) => {
    await open(options);
    await stack.enqueue(`sim:say(text="${TIDES}")`);
    await ask("When is high water in Callao?");
    await reports(1);
    await ask("sim:tools(n=1) What time is it there?");
    await reports(3);
    if (trouble) {
      await stack.enqueue("sim:fail(at=content)", "sim:slow(n=400, delay_ms=20)");
      await ask("And in Bergen?");
      await page.getByRole("alert").waitFor();
      await ask("Once more, please.");
      await page.locator(".turn.running").getByText("word9").waitFor();
    }
    await page.waitForTimeout(500); // the lines take their colours slowly
    await page.screenshot({ path: join(folder!, `${name}.png`) });
  };
  await picture("web-chat-light", { ...desk, colorScheme: "light" });
  await picture("web-chat-dark", { ...desk, colorScheme: "dark" }, true);
  await picture("web-chat-phone", { ...phone, colorScheme: "light" });
});
