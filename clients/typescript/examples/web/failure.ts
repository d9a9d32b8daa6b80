/** What went wrong, and what another try would cost, for people. */
import type { TrunklineError } from "trunkline/web";
import { time } from "./dom.js";

export function explained(error: TrunklineError): [title: string, text: string] {
  switch (error.reason) {
    case "UNAVAILABLE":
      return ["The connection is lost.", "The service cannot be reached, or went away in the middle."];
    case "TAKEN_OVER":
      return ["This answer is read elsewhere.", "Another page shows the same conversation, and goes on with it."];
    case "RATE_LIMITED":
    case "OVERLOADED":
      return ["Too busy just now.", error.rawMessage];
    case "UNAUTHENTICATED":
    case "PERMISSION_DENIED":
      return ["The service does not let you in.", "Look at the token in the settings."];
    default:
      return [`This went wrong: ${error.reason.toLowerCase().replaceAll("_", " ")}.`, error.rawMessage];
  }
}

/** Whether the same turn can go on: the service keeps it for a while, and may not even know that we are gone. */
export function mayGoOn({ reason, reported }: TrunklineError): boolean {
  return reason === "UNAVAILABLE" && !reported;
}

export function cost(error: TrunklineError): string {
  const { sent, retryable, retryAfterMs } = error;
  if (mayGoOn(error)) return "Trying again goes on with this answer while the service keeps it; later it may cost twice.";
  if (retryAfterMs !== undefined) return `The service asks to wait for ${time(retryAfterMs)}.`;
  if (sent === false) return "Nothing was sent to the model.";
  if (sent === undefined) return "Nobody knows whether the model got the question: asking again may cost twice.";
  return retryable ? "The model got the question: asking again may cost twice." : "Asking the same again will hardly help.";
}
