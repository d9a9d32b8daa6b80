/** Two tools that need nobody else. */
import type { Tool } from "trunkline/web";

const TIME_ZONES = ["America/Lima", "Europe/Oslo", "Asia/Tokyo", "Africa/Nairobi", "UTC"];

const clock: Tool = {
  name: "clock",
  description: "The time of day and the date in a time zone.",
  parameters: {
    type: "object",
    properties: { time_zone: { type: "string", enum: TIME_ZONES } },
    required: ["time_zone"],
    additionalProperties: false,
  },
  run: ({ time_zone }: { time_zone: string }) =>
    new Date().toLocaleString("en", { timeZone: time_zone, dateStyle: "full", timeStyle: "short" }),
};

const dice: Tool = {
  name: "roll_dice",
  description: "Rolls dice and returns what each shows.",
  parameters: {
    type: "object",
    properties: { count: { type: "integer", minimum: 1, maximum: 20 } },
    required: ["count"],
    additionalProperties: false,
  },
  run: ({ count }: { count: number }) => Array.from({ length: count }, () => 1 + Math.floor(Math.random() * 6)),
};

export const tools: Tool[] = [clock, dice];
