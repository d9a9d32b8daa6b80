/** What a model says beside text, on the chat page in a real Chromium. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "./page.js";

const HOSTED = [
  { type: "web_search" },
  { type: "file_search", vector_store_ids: ["vs_1"] },
  { type: "code_interpreter", container: { type: "auto" } },
  { type: "mcp", server_label: "harbour", server_url: "https://harbour.example/mcp" },
];

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
