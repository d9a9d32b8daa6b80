/** Structured output: the answer's JSON, read as a value of the caller's own type. */
import { OutputError, RefusedError } from "./errors.js";
import type { Done } from "./events.js";
import type { ParsedFormat, TextFormat } from "./options.js";

/** What `done.parsed` is: undefined for plain text. Throws where the answer does not fit. */
export function parsedFrom(done: Done, format: TextFormat | undefined): unknown {
  if (format === undefined || format === "plain") return undefined;
  const { message, usage, report, text, refusal, stopReason } = done;
  const failure = { status: "OK", sent: true, partial: message, usage, report } as const;
  if (refusal) throw new RefusedError("REFUSED", refusal, failure);
  if (!text) throw new OutputError("OUTPUT_INVALID", `the answer has no text; it ended with "${stopReason}"`, failure);
  try {
    const value: unknown = JSON.parse(text);
    return typeof format === "object" && isParsed(format) ? format.parse(value) : value;
  } catch (cause) {
    const problem = cause instanceof SyntaxError ? "is not valid JSON" : "does not fit its schema";
    const cut = stopReason === "length" ? " (it was cut off: raise maxOutputTokens)" : "";
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new OutputError("OUTPUT_INVALID", `the answer ${problem}${cut}: ${why}`, { ...failure, cause });
  }
}

function isParsed(format: object): format is ParsedFormat<unknown> {
  return "parse" in format;
}
