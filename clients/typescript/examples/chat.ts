/**
 * The smallest chat: type a line, watch the answer. Ctrl-C stops the answer, Ctrl-D leaves.
 *
 * Needs a service: `make run` in the repository. Another address or model: chat.js HOST:PORT MODEL
 */
import { createInterface } from "node:readline/promises";
import { connect, TrunklineError } from "trunkline";

const [address = "127.0.0.1:50051", model = "gpt-5.6"] = process.argv.slice(2);
const client = connect(address);
const conversation = client.conversation({ model });
const terminal = createInterface({ input: process.stdin, output: process.stdout });
let stop: (() => void) | undefined;

terminal.on("SIGINT", () => (stop ? stop() : terminal.close()));
terminal.setPrompt("> ");
terminal.prompt();
for await (const line of terminal) {
  if (line.trim() !== "") await answer(line);
  terminal.prompt();
}
client.close();

async function answer(question: string): Promise<void> {
  const turn = conversation.stream(question);
  stop = () => turn.cancel();
  try {
    for await (const event of turn) {
      if (event.kind === "text_delta") process.stdout.write(event.delta);
      if (event.kind === "done") {
        const { transport, context, contextReason } = event.report;
        console.log(`\n[${transport}, ${context}: ${contextReason}]`);
      }
    }
  } catch (error) {
    if (!(error instanceof TrunklineError)) throw error;
    console.log(`\n${error.message}`);
  } finally {
    stop = undefined;
  }
}
