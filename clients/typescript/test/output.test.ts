/** Structured output: `parsed` is of the type of its schema, or reading it throws. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { StopReason } from "../src/gen/trunkline/v1/completion_pb.js";
import { Role } from "../src/gen/trunkline/v1/message_pb.js";
import { OutputError, RefusalError, TrunklineError } from "../src/node.js";
import { zodFormat } from "../src/zod.js";
import { answer, asks, done, Fake, says, start, turn } from "./fake.js";

const Forecast = z.object({
  city: z.string(),
  celsius: z.number().describe("At noon."),
  day: z.string().transform((day) => new Date(day)),
  warnings: z.array(z.object({ text: z.string() })).nullable(),
});
const forecast = zodFormat("forecast", Forecast);
const LIMA = '{"city":"Lima","celsius":21,"day":"2026-01-02","warnings":null}';

/** Reads a property that throws. */
function thrownBy(read: () => unknown): unknown {
  try {
    read();
  } catch (error) {
    return error;
  }
  return assert.fail("nothing was thrown");
}

test("each way to make a turn parses the answer", async (t) => {
  const fake = await Fake.start(t, says(start, done(answer(LIMA))));
  fake.completes = [() => done(answer(LIMA)).value];
  const conversation = fake.client.conversation({ model: "m" });
  const options = { textFormat: forecast };
  const ends = [
    await conversation.stream("And in Lima?", options).result(),
    await conversation.complete("And in Lima?", options),
    await conversation.run("And in Lima?", options).result(),
    await fake.client.stream({ ...turn, ...options }).result(),
    await fake.client.complete({ ...turn, ...options }),
  ];
  for (const { parsed } of ends) {
    const city: string = parsed.city;
    const year: number = parsed.day.getFullYear();
    // @ts-expect-error the schema has no such field
    parsed.wind;
    assert.deepEqual([city, year, parsed.warnings], ["Lima", 2026, null]);
  }
  const [first] = ends;
  assert.equal(first?.parsed, first?.parsed);
});

test("the event of a loop is typed, too, and the conversation's own format holds for its turns", async (t) => {
  const fake = await Fake.start(t, says(start, done(answer(LIMA))));
  const conversation = fake.client.conversation({ model: "m", textFormat: forecast });
  for await (const event of conversation.stream("Lima?", { textFormat: forecast })) {
    if (event.kind === "done") assert.equal(event.parsed.celsius.toFixed(1), "21.0");
  }
  const { parsed } = await conversation.stream("Lima?").result();
  assert.equal(Forecast.shape.city.parse((parsed as { city: unknown }).city), "Lima");
});

test("the schema goes upstream closed, as what the model is to write", async (t) => {
  const fake = await Fake.start(t, says(start, done(answer(LIMA))));
  await fake.client.stream({ ...turn, textFormat: forecast }).result();
  const format = fake.requests[0]?.options?.text?.format;
  assert.ok(format?.case === "jsonSchema" && format.value.strict && format.value.name === "forecast");
  const schema = JSON.parse(format.value.schema);
  assert.deepEqual(schema.properties.day, { type: "string" });
  assert.equal(schema.properties.celsius.description, "At noon.");
  assert.deepEqual(schema.required, ["city", "celsius", "day", "warnings"]);
  assert.equal(schema.additionalProperties, false);
  assert.equal(schema.properties.warnings.anyOf[0].items.additionalProperties, false);
  assert.equal("additionalProperties" in Object(zodFormat("loose", Forecast, { strict: false }).schema), false);
});

test("an answer that does not fit throws where it is read; the turn itself is kept", async (t) => {
  const wrong = '{"city":"Lima","celsius":"warm","day":"2026-01-02","warnings":null}';
  const fake = await Fake.start(t, [
    says(start, done(answer(wrong))),
    says(start, done(answer('{"city":"Li'), StopReason.LENGTH)),
  ]);
  const conversation = fake.client.conversation({ model: "m" });
  const end = await conversation.stream("Lima?", { textFormat: forecast }).result();
  assert.deepEqual([end.text, conversation.messages.length], [wrong, 2]);
  const error = thrownBy(() => end.parsed);
  assert.ok(error instanceof OutputError && error instanceof TrunklineError);
  assert.match(error.message, /^INVALID_OUTPUT: the answer does not fit its schema: .*number.*\n.*celsius/);
  assert.deepEqual([error.partial, error.usage?.totalTokens, error.sent, error.retryable], [end.message, 5, true, false]);
  assert.ok(error.cause instanceof TypeError && error.cause.cause instanceof z.core.$ZodError);

  const cut = await conversation.stream("Lima?", { textFormat: forecast }).result();
  assert.match(String(thrownBy(() => cut.parsed)), /the answer is not complete: it ended with "length"/);
});

test("a refusal, and an answer without text, are no value", async (t) => {
  const refusal = { role: Role.ASSISTANT, parts: [{ part: { case: "refusal" as const, value: { text: "I would rather not." } } }] };
  const fake = await Fake.start(t, [
    says(start, done(refusal)),
    says(start, asks({ callId: "c1", name: "look", arguments: "{}" })),
  ]);
  const refused = await fake.client.stream({ ...turn, textFormat: forecast }).result();
  const error = thrownBy(() => refused.parsed);
  assert.ok(error instanceof RefusalError);
  assert.equal(error.rawMessage, "I would rather not.");
  const asking = await fake.client.stream({ ...turn, textFormat: forecast }).result();
  assert.match(String(thrownBy(() => asking.parsed)), /the answer is not complete: it ended with "tool_use"/);
});

test("without a schema of zod, JSON is what it is, and text is no value", async (t) => {
  const fake = await Fake.start(t, says(start, done(answer("[1]"))));
  const formats = ["json_object", { name: "list", schema: { type: "array" } }, "plain", undefined] as const;
  const values = [];
  for (const textFormat of formats) values.push((await fake.client.stream({ ...turn, textFormat }).result()).parsed);
  assert.deepEqual(values, [[1], [1], undefined, undefined]);
});

test("what the model says on the way to its answer is no part of the value", async (t) => {
  const said = [{ text: "Let me look.", phase: "commentary" }, { text: LIMA, phase: "final_answer" }];
  const parts = said.map((value) => ({ part: { case: "text" as const, value } }));
  const fake = await Fake.start(t, says(start, done({ role: Role.ASSISTANT, parts })));
  assert.equal((await fake.client.stream({ ...turn, textFormat: forecast }).result()).parsed.city, "Lima");
});
