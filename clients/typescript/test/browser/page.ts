/** A page in a Chromium, in front of a stack of its own: opened before each test of the file that imports this. */
import { after, before, beforeEach } from "node:test";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { chromium } from "playwright-core";
import type { Stack } from "./stack.js";
import { onPath, startStack } from "./stack.js";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const WAIT_MS = 20_000;

export let stack: Stack;
let browser: Browser;
export let page: Page;
/** Exceptions that nobody on the page caught. */
export let problems: string[];

before(async () => {
  const executablePath = process.env["CHROMIUM"] ?? onPath("chromium", "chromium-browser", "google-chrome");
  if (executablePath === undefined) throw new Error("found no Chromium: apt-get install chromium, or CHROMIUM=/where/it/is");
  stack = await startStack();
  browser = await chromium.launch({ executablePath, headless: true, args: FLAGS });
});

after(async () => {
  await browser?.close();
  await stack?.stop();
});

beforeEach(async () => {
  await open();
});

/** Opens the page in a new tab. `query` goes into its address: settings, one `name=value` after another. */
export async function open(options: BrowserContextOptions = {}, query = ""): Promise<void> {
  await page?.close();
  page = await browser.newPage(options);
  problems = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.setDefaultTimeout(WAIT_MS);
  await page.goto(stack.url + query);
}

export async function ask(text: string): Promise<void> {
  await page.getByLabel("Message").fill(text);
  await page.keyboard.press("Enter");
}

/** The reports that stand on the page, when there are this many and the run is over. */
export async function reports(count: number): Promise<string[]> {
  const found = page.getByLabel("What the turn did");
  await found.nth(count - 1).waitFor();
  await page.getByRole("button", { name: "Stop" }).waitFor({ state: "hidden" });
  return found.allInnerTexts();
}
