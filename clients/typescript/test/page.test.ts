/** What the chat page makes of text from the model, as far as it needs no browser. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { at, list, parsed, pretty, word } from "../examples/web/json.js";
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
