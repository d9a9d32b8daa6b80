/** The end of the conversation stays in sight while it grows. */
import { known } from "./dom.js";

const NEAR_PX = 120;

/** Makes a change of the conversation. Scrolls along, unless the reader has scrolled away from the end. */
export function follow(change: () => void): void {
  const page = known("page", HTMLElement);
  const near = page.scrollHeight - page.scrollTop - page.clientHeight < NEAR_PX;
  change();
  if (near) page.scrollTop = page.scrollHeight;
}
