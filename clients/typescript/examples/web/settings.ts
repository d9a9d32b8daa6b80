/** What the reader can set, except the token, which is not stored. */

const STORED = "trunkline";
export const SETTINGS = ["address", "model", "instructions", "tools"] as const;

/** What the address bar says, else what was saved, else the default. */
export function setting(name: (typeof SETTINGS)[number]): string {
  const stored: unknown = JSON.parse(localStorage.getItem(STORED) ?? "{}");
  const defaults = {
    address: `${location.protocol}//${location.hostname}:8080`,
    model: "gpt-5.6",
    instructions: "Be brief.",
    tools: "",
  };
  const asked = new URLSearchParams(location.search).get(name);
  return asked ?? (stored as Record<string, string>)[name] ?? defaults[name];
}

export function store(settings: Record<string, string>): void {
  localStorage.setItem(STORED, JSON.stringify(settings));
}

/** All of them as one text. */
export function settingsNow(): string {
  return JSON.stringify(SETTINGS.map(setting));
}
