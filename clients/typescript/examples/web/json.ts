/** Reads the JSON of the upstream, of which nothing is sure: what is missing or of another type is empty. */

/** The JSON of a text; undefined where it is none. */
export function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** What stands at this path of objects. */
export function at(value: unknown, ...path: string[]): unknown {
  for (const key of path) {
    value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  }
  return value;
}

export function word(value: unknown, ...path: string[]): string {
  const found = at(value, ...path);
  return typeof found === "string" ? found : "";
}

export function list(value: unknown, ...path: string[]): unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

/**
 * JSON for people, one field a line. A text in which more than the spaces would change stays as it is written: a
 * number of twenty digits, or a name that stands there twice.
 */
export function pretty(value: unknown): string {
  if (typeof value !== "string") return JSON.stringify(value, undefined, 2) ?? "";
  const inner = parsed(value);
  const bare = value.replace(/("(?:[^"\\]|\\.)*")|\s+/g, "$1");
  return inner !== undefined && JSON.stringify(inner) === bare ? JSON.stringify(inner, undefined, 2) : value;
}
