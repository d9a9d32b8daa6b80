/** An answer with one part of each kind, and all that a part may have. */
import { create } from "@bufbuild/protobuf";
import { MessageSchema, Role, ToolCallKind } from "../src/gen/trunkline/v1/message_pb.js";

const { CUSTOM, FUNCTION } = ToolCallKind;

export function item(type: string, fields: object = {}) {
  return { part: { case: "upstreamItem" as const, value: { type, json: JSON.stringify({ type, ...fields }) } } };
}

export const WHOLE = create(MessageSchema, {
  role: Role.ASSISTANT,
  parts: [
    { itemId: "rs_1", part: { case: "reasoning", value: { id: "rs_1", summary: ["One.", "Two."], encryptedContent: "x" } } },
    item("web_search_call", { id: "ws_1", status: "completed" }),
    item("compaction", { encrypted_content: "y" }),
    item("shell_call", { call_id: "sh", action: { commands: ["ls"] } }),
    item("shell_call_output", { call_id: "sh", output: [] }),
    item("program", { call_id: "p" }),
    item("program_output", { call_id: "p", result: "1" }),
    item("tool_search_call", { call_id: null }),
    item("tool_search_output", { call_id: null }),
    item("mcp_call", { id: "mcp_1", status: "failed", arguments: '{"hour": 6}' }),
    { itemId: "msg_0", extraJson: '{"k":1}', part: { case: "text", value: { text: "A.", phase: "commentary" } } },
    { itemId: "msg_1", part: { case: "text", value: { text: "B.", phase: "final_answer" } } },
    {
      itemId: "msg_1",
      part: {
        case: "text",
        value: {
          text: "See [1].",
          phase: "final_answer",
          annotationsJson: JSON.stringify([
            { type: "url_citation", url: "https://a.example", title: "A", start_index: 4, end_index: 7 },
            { type: "file_citation", file_id: "f", filename: "a.md", index: 7 },
            { type: "of_tomorrow" },
          ]),
        },
      },
    },
    { itemId: "msg_2", part: { case: "refusal", value: { text: "No." } } },
    { itemId: "fc_1", part: { case: "toolCall", value: { callId: "c1", name: "f", kind: FUNCTION, arguments: '{ "n": 12345678901234567890 }' } } },
    { itemId: "fc_2", part: { case: "toolCall", value: { callId: "c2", name: "f", kind: FUNCTION, arguments: "{no json" } } },
    { itemId: "ctc", part: { case: "toolCall", value: { callId: "c3", name: "sql", arguments: "select 1", kind: CUSTOM } } },
  ],
});
