/** What a model says beside text, on the chat page in a real Chromium. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, open, page, problems, reports } from "./page.js";

const HOSTED = [
  { type: "web_search" },
  { type: "file_search", vector_store_ids: ["vs_1"] },
  { type: "code_interpreter", container: { type: "auto" } },
  { type: "mcp", server_label: "harbour", server_url: "https://harbour.example/mcp" },
];

async function openWith(tools: object[], options?: Parameters<typeof open>[0]): Promise<void> {
  await open(options, `&tools=${encodeURIComponent(JSON.stringify(tools))}`);
}

test("what the text cites is a list of links below it", async () => {
  await openWith(HOSTED);
  await ask("sim:web_search(query=tides in Oslo, citations=2)");
  await reports(1);
  const page1 = "https://tides.example/today";
  const sources = page.getByRole("region", { name: "Sources" });
  assert.deepEqual(await sources.getByRole("listitem").allInnerTexts(), ["Tides 1 tides.example", "Tides 2 tides.example"]);
  const first = sources.getByRole("link").first();
  assert.deepEqual(
    await first.evaluate((link) => ["href", "rel", "target"].map((name) => link.getAttribute(name))),
    [`${page1}/1`, "noopener noreferrer", "_blank"],
  );
  assert.deepEqual(problems, []);
});

test("a file that is cited is no link", async () => {
  await ask("sim:file_search");
  await reports(1);
  assert.equal(await page.getByRole("region", { name: "Sources" }).getByRole("listitem").innerText(), "tides.md");
  assert.equal(await page.getByRole("link").count(), 0);
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
  await page.getByRole("button", { name: "Settings" }).click();
  assert.equal(await field.inputValue(), JSON.stringify(HOSTED));
});
