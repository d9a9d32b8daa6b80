/** Names by chance, of sessions and turns. */

/** 32 hex digits. `crypto.randomUUID` is missing in pages that were not loaded over https. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
