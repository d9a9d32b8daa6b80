/** Markdown that comes piece by piece. The browser's tests show what a page makes of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { GrowingMarkdown } from "../examples/web/markdown.js";

const ALL = `# Tides

A *short* **text** with \`code\`, a [link](https://tides.example/a) and ![a chart](https://tides.example/chart.png).

- one
- two

  still two
1. first

| time | metres |
|------|-------:|
| 6:00 | 2.4 |

> said
before

\`\`\`js
const a = "<b>";

# no heading
\`\`\`

Text
-
***
[named]: https://tides.example/named

See [named].`;

/** The whole page of a text whose pieces have this many characters, rendered after each of them. */
function grown(text: string, step: number): { html: string; seen: string[] } {
  const markdown = new GrowingMarkdown();
  const seen = [];
  let finished = "";
  for (let at = 0; at < text.length; at += step) {
    markdown.append(text.slice(at, at + step));
    const change = markdown.render();
    finished += change.finished;
    seen.push(finished + change.growing);
  }
  const { finished: rest, growing } = markdown.render(true);
  return { html: finished + rest + growing, seen };
}

test("in any pieces it becomes what it is in one", () => {
  const { html } = grown(ALL, ALL.length);
  for (const part of ["<h1>Tides</h1>", "<strong>text</strong>", "<ol>", "<td", "<blockquote>", "<h2>Text</h2>", "<hr>"]) {
    assert.ok(html.includes(part), part);
  }
  assert.ok(html.includes('See <a href="https://tides.example/named"'));
  for (const step of [1, 2, 3, 7, 50]) assert.equal(grown(ALL, step).html, html, `${step} characters each`);
});

test("what is shown of a half is already what the whole will be", () => {
  const { seen } = grown("It is **bold** and [a link](https://tides.example) now.\n\nTides\n- one", 1);
  assert.ok(!seen.some((html) => /\*|\]\(|&lt;/.test(html)), "no mark of Markdown is ever seen");
  assert.ok(!seen.some((html) => html.includes("<h2>")), "a list that begins is no heading");
});

test("a block of n characters is rendered again O(log n) times", () => {
  const renderings = (length: number) => {
    const markdown = new GrowingMarkdown();
    let made = 0;
    markdown.append("```\n");
    for (let at = 0; at < length; at += 1) {
      markdown.append(at % 60 === 0 ? "\n" : "x");
      if (!markdown.isDue) continue;
      markdown.render();
      made += 1;
    }
    return made;
  };
  const [once, twice] = [renderings(50_000), renderings(100_000)];
  assert.ok(twice - once <= 36, `${once} and ${twice}`); // 1.02 ** 35 is 2
});

test("neither HTML nor an address of another kind comes through", () => {
  const { html } = grown('<img src=x onerror="a()">\n\n[a](javascript:a()) [b](/b) ![c](data:image/png;base64,AA==)', 1);
  assert.ok(!/<(?!\/?p>)/.test(html), html);
});
