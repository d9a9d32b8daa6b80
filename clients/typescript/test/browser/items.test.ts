/** What a model says beside text, on the chat page in a real Chromium. SCREENSHOTS=folder also takes its pictures. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { ask, open, page, problems, reports, stack } from "./page.js";

const HOSTED = [
  { type: "web_search" },
  { type: "file_search", vector_store_ids: ["vs_1"] },
  { type: "code_interpreter", container: { type: "auto" } },
  { type: "mcp", server_label: "harbour", server_url: "https://harbour.example/mcp" },
];

async function openWith(tools: object[], options?: Parameters<typeof open>[0]): Promise<void> {
  await open(options, `&tools=${encodeURIComponent(JSON.stringify(tools))}`);
}

/** Every text that a row of an item ever has, also for a moment. */
async function recordRows(): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const seen = new Set<string>();
    const look = () => document.querySelectorAll(".item .row").forEach((row) => seen.add(row.textContent?.trim() ?? ""));
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
    Object.assign(window, { seen });
  });
  return () => page.evaluate(() => [...(window as unknown as { seen: Set<string> }).seen]);
}

function rows(): Promise<string[]> {
  return page.locator(".item .row").allInnerTexts();
}

function hasFocus(label: string): Promise<boolean> {
  return page.getByLabel(label).evaluate((element) => element === document.activeElement);
}

test("a search: while it runs, what it searched, its sources, and what the text cites", async () => {
  await openWith(HOSTED);
  const seen = await recordRows();
  await ask("sim:web_search(query=tides in Oslo, citations=2)");
  await reports(1);
  assert.ok((await seen()).includes("Searching the web …"));
  const page1 = "https://tides.example/today";
  const pages = [`Opened a page ${page1}`, `Looked in a page for “high tide” in ${page1}`];
  assert.deepEqual(await rows(), ["Searched the web tides in Oslo", ...pages]);
  await page.getByText("Searched the web").click();
  await page.getByRole("list", { name: "Sources", exact: true }).getByRole("link", { name: `${page1}/2` }).waitFor();
  const sources = page.getByRole("region", { name: "Sources" });
  assert.deepEqual(await sources.getByRole("listitem").allInnerTexts(), ["Tides 1 tides.example", "Tides 2 tides.example"]);
  const first = sources.getByRole("link").first();
  assert.deepEqual(
    await first.evaluate((link) => ["href", "rel", "target"].map((name) => link.getAttribute(name))),
    [`${page1}/1`, "noopener noreferrer", "_blank"],
  );
  assert.deepEqual(problems, []);
});

test("a search in files, with what it found and the file that is cited", async () => {
  await openWith(HOSTED);
  await ask("sim:file_search");
  await reports(1);
  await page.getByText("Searched files tides").click();
  assert.match(await page.getByRole("list", { name: "Found" }).innerText(), /tides\.md High tide: six\./);
  assert.equal(await page.getByRole("region", { name: "Sources" }).getByRole("listitem").innerText(), "tides.md");
  assert.equal(await page.getByRole("link").count(), 0, "a file has no address");
});

test("an image: the partial ones as they come, then the whole one with its prompt", async () => {
  await page.evaluate(() => {
    const seen = new Set<string>();
    const look = () => document.querySelectorAll("img").forEach(({ alt }) => seen.add(alt));
    const all = { attributes: true, childList: true, subtree: true };
    new MutationObserver(look).observe(document.body, all);
    Object.assign(window, { seen });
  });
  await ask("sim:image_generation(prompt=A boat.)");
  await reports(1);
  const seen = await page.evaluate(() => [...(window as unknown as { seen: Set<string> }).seen]);
  assert.deepEqual(seen, ["The image so far", "A boat."]);
  const image = page.getByRole("img", { name: "A boat." });
  assert.match((await image.getAttribute("src"))!, /^data:image\/png;base64,iVBOR/);
  const box = (await image.boundingBox())!;
  assert.ok(box.width <= 384 && box.width === box.height, `${box.width} × ${box.height}`);
  await ask("sim:image_generation(size=4000)");
  await reports(2);
  await page.getByText("This image cannot be shown.").waitFor();
});

test("code with its output, and a custom tool's free text", async () => {
  await openWith(HOSTED);
  const seen = await recordRows();
  await ask('sim:code_interpreter(code="print(6 * 7)", logs="42")');
  await reports(1);
  assert.ok((await seen()).includes("Running code …"));
  assert.deepEqual(await page.locator(".item figure").allInnerTexts(), ["Code\nprint(6 * 7)", "Output\n42"]);
  await ask('sim:custom(input="{ no JSON")');
  await reports(3);
  assert.match(await page.locator(".call").innerText(), /sql \{ no JSON\s+failed\s+there is no tool named "sql"/);
});

test("an approval is given by keyboard, and the tool is called", async () => {
  await openWith(HOSTED);
  await ask("sim:mcp");
  await reports(1);
  assert.deepEqual(await rows(), ["Listed 1 tool of harbour", "Asks for approval to call tide.at on harbour"]);
  assert.match(await page.locator(".waits").innerText(), /Arguments\s+\{\s+"hour": 6\s+\}/);
  assert.match(await page.getByRole("status").innerText(), /asks for your approval to call tide\.at on harbour/);
  assert.ok(await hasFocus("Message"), "a stray Enter approves nothing");
  await page.keyboard.press("Shift+Tab"); // Deny stands last
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Enter");
  await reports(2);
  assert.ok(await hasFocus("Approval of tide.at on harbour"));
  await page.getByText("You approved.").waitFor();
  await page.getByText("Called tide.at on harbour").click();
  assert.match(await page.locator(".item details[open]").innerText(), /Arguments[\s\S]*Returned\s+2\.4 m/);
  assert.equal(await page.locator(".text").innerText(), "The tide is at 2.4 m.");
  await ask("And on?");
  const [, , third] = await reports(3);
  assert.match(third!, /incremental, continued/);
  assert.deepEqual(problems, []);
});

test("an approval is denied", async () => {
  await ask("sim:mcp");
  await page.getByRole("group", { name: "Approval of tide.at on harbour" }).getByRole("button", { name: "Deny" }).click();
  await reports(2);
  await page.getByText("You denied.").waitFor();
  assert.equal(await page.locator(".text").innerText(), "Then I do not know the tide.");
  assert.equal(await page.getByRole("button", { name: /Approve|Deny/ }).count(), 0);
});

test("an approval that finds no service can be sent again", async () => {
  await ask("sim:mcp");
  await reports(1);
  await stack.loseConnection();
  await page.getByRole("button", { name: "Approve" }).click();
  await page.getByRole("alert").waitFor();
  await stack.restoreConnection();
  await page.getByRole("button", { name: "Try again" }).click();
  await reports(2);
  assert.equal(await page.locator(".text").innerText(), "The tide is at 2.4 m.");
});

test("another question instead of an answer goes on without the turn that waits", async () => {
  await ask("sim:mcp");
  await reports(1);
  await ask("sim:say(text=Well.)");
  await reports(2);
  await page.getByText("Not answered.").waitFor();
  assert.equal(await page.locator(".text").innerText(), "Well.");
});

test("what this page cannot do is said, and the chat goes on", async () => {
  await ask("sim:shell");
  await reports(1);
  await page.getByText("The model waits for an answer to its shell call, which this page cannot give.").first().waitFor();
  await page.getByText("Shell call", { exact: true }).click();
  assert.match(await page.locator(".item pre").innerText(), /"ls \/tides"/);
  await ask("sim:say(text=Well.)");
  await reports(2);
  assert.equal(await page.locator(".text").innerText(), "Well.");
});

test("every kind of item has a row, in the order of the answer, and none is HTML", async () => {
  await ask("sim:every_item");
  await reports(1);
  const shown = await rows();
  assert.equal(shown.length, 24);
  assert.deepEqual(shown.slice(8, 11), ["Tool search call", "Tool search output", "Additional tools"]);
  assert.equal(await page.getByRole("button", { name: "Approve" }).count(), 0, "it was approved already");
  const html = "<img src=x onerror=document.title='broken'>";
  await ask(`sim:web_search(query=${html})`);
  await reports(2);
  assert.ok((await rows()).includes(`Searched the web ${html}`));
  assert.notEqual(await page.title(), "broken");
});

test("tools of the provider are given in the settings, and must be a JSON list", async () => {
  await page.getByRole("button", { name: "Settings" }).click();
  const field = page.getByRole("textbox", { name: "Tools of the provider" });
  for (const wrong of ["web_search", '{"type": "web_search"}', '["web_search"]', "[{}]"]) {
    await field.fill(wrong);
    assert.match(await field.evaluate((element: HTMLTextAreaElement) => element.validationMessage), /JSON list/);
  }
  await field.fill(JSON.stringify(HOSTED));
  await page.getByRole("button", { name: "Save" }).click();
  await ask("sim:code_interpreter(logs=42)");
  await reports(1);
  await page.getByText("Output", { exact: true }).waitFor();
});

const folder = process.env["SCREENSHOTS"];

test("pictures", { skip: folder === undefined && "SCREENSHOTS is not set" }, async () => {
  const scenes = {
    search: ["sim:web_search(citations=3)", "sim:file_search"],
    image: ["sim:image_generation"],
    code: ['sim:code_interpreter(code="for hour in range(6):\n    print(tide_at[hour])", logs="2.4\n2.1\n1.6")'],
    approval: ["sim:mcp"],
  };
  for (const [name, questions] of Object.entries(scenes)) {
    for (const [width, colorScheme] of [[1000, "light"], [1000, "dark"], [400, "light"], [400, "dark"]] as const) {
      await openWith(HOSTED, { viewport: { width, height: 860 }, colorScheme });
      for (const [asked, question] of questions.entries()) {
        await ask(question);
        await reports(asked + 1);
      }
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width);
      await page.waitForTimeout(500); // the lines take their colours slowly
      await page.screenshot({ path: join(folder!, `${name}-${width}-${colorScheme}.png`) });
    }
  }
});
