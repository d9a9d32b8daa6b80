/**
 * The answer as far as it has come, for a turn whose line broke before anyone could say what there was. Tool
 * calls are left out, as the service leaves them out: half a call is no call.
 */
import { create } from "@bufbuild/protobuf";
import type { Event } from "./events.js";
import type { Message } from "./gen/trunkline/v1/message_pb.js";
import { MessageSchema, Role } from "./gen/trunkline/v1/message_pb.js";

type Kind = "text_delta" | "refusal_delta" | "reasoning_delta";

export class Partial {
  readonly #parts = new Map<string, { index: number; kind: Kind; text: string }>();

  add(event: Event): void {
    switch (event.kind) {
      case "text_delta":
      case "refusal_delta":
      case "reasoning_delta": {
        const key = `${event.contentIndex} ${event.kind}`;
        const part = this.#parts.get(key);
        if (part) part.text += event.delta;
        else this.#parts.set(key, { index: event.contentIndex, kind: event.kind, text: event.delta });
      }
    }
  }

  get text(): string {
    return this.#sorted()
      .map((part) => (part.kind === "text_delta" ? part.text : ""))
      .join("");
  }

  /** Undefined: nothing has come. */
  message(): Message | undefined {
    const parts = this.#sorted().map(({ kind, text }) => {
      if (kind === "text_delta") return { part: { case: "text" as const, value: { text } } };
      if (kind === "refusal_delta") return { part: { case: "refusal" as const, value: { text } } };
      return { part: { case: "reasoning" as const, value: { summary: [text] } } };
    });
    return parts.length > 0 ? create(MessageSchema, { role: Role.ASSISTANT, parts }) : undefined;
  }

  #sorted() {
    return [...this.#parts.values()].sort((a, b) => a.index - b.index);
  }
}
