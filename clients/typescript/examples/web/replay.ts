/** An answer that ended before: its message as the events that brought it. */
import type { Event, Message } from "trunkline/web";

/** The deltas, each part in one piece. Items of the upstream have none: the end shows them. */
export function eventsOf(message: Message): Event[] {
  return message.parts.flatMap(({ part }, contentIndex): Event[] => {
    switch (part.case) {
      case "text":
        return [{ kind: "text_delta", contentIndex, delta: part.value.text }];
      case "refusal":
        return [{ kind: "refusal_delta", contentIndex, delta: part.value.text }];
      case "reasoning": {
        const { summary, content } = part.value;
        const delta = [...summary, ...content].join("\n\n");
        return delta === "" ? [] : [{ kind: "reasoning_delta", contentIndex, delta, of: "summary" }];
      }
      case "toolCall": {
        const { callId, name, arguments: delta } = part.value;
        return [{ kind: "tool_call_delta", contentIndex, callId, name, delta }];
      }
      default:
        return [];
    }
  });
}
