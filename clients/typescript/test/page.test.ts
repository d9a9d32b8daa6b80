/** What the chat page makes of text from the model, as far as it needs no browser. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { MessageSchema } from "../src/node.js";
import { at, list, parsed, pretty, word } from "../examples/web/json.js";
import { eventsOf } from "../examples/web/replay.js";
import { webUrl } from "../examples/web/sources.js";

test("only addresses of the web become links", () => {
  for (const address of ["https://tides.example/today?at=6", "HTTP://tides.example/"]) {
    assert.equal(webUrl(address)?.host, "tides.example");
  }
  const others = ["javascript:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "file:///etc", "tides", ""];
  for (const address of others) assert.equal(webUrl(address), undefined, address);
});

test("what is missing or of another type is empty", () => {
  const item = parsed('{"action":{"queries":["a",1],"query":7},"result":null}');
  assert.deepEqual([word(item, "action", "query"), word(item, "result", "x"), word(undefined, "x")], ["", "", ""]);
  assert.deepEqual([list(item, "action", "queries"), list(item, "action")], [["a", 1], []]);
  assert.deepEqual([at(item, "action", "query"), at("text", "length"), parsed("{")], [7, undefined, undefined]);
});

test("JSON is shown one field a line, unless more than its spaces would change", () => {
  assert.equal(pretty('{"a": [1],\n"b":"x  y"}'), '{\n  "a": [\n    1\n  ],\n  "b": "x  y"\n}');
  assert.equal(pretty({ a: 1 }), '{\n  "a": 1\n}');
  for (const text of ['{"to":"me","to":"you"}', '{"n":12345678901234567890}', "no JSON", ""]) assert.equal(pretty(text), text);
});

test("an answer is shown again as the events that brought it, each part in one piece", () => {
  const message = create(MessageSchema, {
    parts: [
      { part: { case: "reasoning", value: { summary: ["Why?", "So."] } } },
      { part: { case: "reasoning", value: { encryptedContent: "…" } } },
      { part: { case: "text", value: { text: "It is noon." } } },
      { part: { case: "upstreamItem", value: { type: "web_search_call", json: "{}" } } },
      { part: { case: "toolCall", value: { callId: "c1", name: "clock", arguments: "{}" } } },
      { part: { case: "refusal", value: { text: "No." } } },
    ],
  });
  assert.deepEqual(eventsOf(message), [
    { kind: "reasoning_delta", contentIndex: 0, delta: "Why?\n\nSo.", of: "summary" },
    { kind: "text_delta", contentIndex: 2, delta: "It is noon." },
    { kind: "tool_call_delta", contentIndex: 4, callId: "c1", name: "clock", delta: "{}" },
    { kind: "refusal_delta", contentIndex: 5, delta: "No." },
  ]);
});
