/** Structured output: the answer's JSON, read as a value of the caller's own type. */
import type { Failure } from "./errors.js";
import { OutputError, RefusalError } from "./errors.js";
import type { Done } from "./events.js";
import type { Message } from "./gen/trunkline/v1/message_pb.js";
import type { ParsedFormat, TextFormat } from "./options.js";

/** What `done.parsed` is: undefined for plain text. Throws where the answer does not fit. */
export function parsedFrom(done: Done, format: TextFormat | undefined): unknown {
  if (format === undefined || format === "plain") return undefined;
  const { message, usage, report, refusal, stopReason } = done;
  const failure = { status: "OK", sent: true, partial: message, usage, report } as const;
  if (refusal) throw new RefusalError("REFUSAL", refusal, failure);
  if (stopReason !== "stop") throw invalid(`the answer is not complete: it ended with "${stopReason}"`, failure);
  try {
    const value: unknown = JSON.parse(finalTextOf(message));
    return typeof format === "object" && isParsed(format) ? format.parse(value) : value;
  } catch (cause) {
    const problem = cause instanceof SyntaxError ? "is not valid JSON" : "does not fit its schema";
    throw invalid(`the answer ${problem}: ${cause instanceof Error ? cause.message : String(cause)}`, { ...failure, cause });
  }
}

function invalid(problem: string, failure: Failure): OutputError {
  return new OutputError("INVALID_OUTPUT", problem, failure);
}

/** The text of the answer itself, without what the model said on the way to it. */
function finalTextOf({ parts }: Message): string {
  return parts.map(({ part }) => (part.case === "text" && part.value.phase !== "commentary" ? part.value.text : "")).join("");
}

function isParsed(format: object): format is ParsedFormat<unknown> {
  return "parse" in format;
}
