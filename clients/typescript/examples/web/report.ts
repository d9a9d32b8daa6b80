/** What a turn did, in one row. */
import type { Report } from "trunkline/web";
import { el, size, time } from "./dom.js";

export function reportOf(report: Report): HTMLElement {
  const { bytesSent, bytesSaved, timings } = report;
  const whole = bytesSent + bytesSaved;
  const share = Math.round((100 * bytesSent) / Math.max(1, whole));
  const row = el("dl.report.quiet", { "aria-label": "What the turn did" });
  const fact = (name: string, title: string, ...value: (Node | string)[]) =>
    row.append(el("div", { title }, el("dt.unseen", {}, `${name}: `), el("dd", {}, ...value)));
  const warm = report.connectionReused;
  const temperature = el("span.temperature", {}, warm ? "warm" : "cold");
  const opened = warm ? "The line was open before the turn" : "The line had to be opened";
  const over = report.transport === "sse" ? " HTTP" : " WebSocket";
  fact("Line", `${opened}; this one: ${report.transportReason.replaceAll("_", " ")}`, temperature, over);
  fact("Context", `Why: ${report.contextReason}`, `${report.context}, ${report.contextReason.replaceAll("_", " ")}`);
  const bar = el("span.bar", { "aria-hidden": "true" }, el("i", { style: `width:${share}%` }));
  const saved = bytesSaved > 0 ? `, ${size(bytesSaved)} saved` : "";
  fact("Bytes", `${size(bytesSent)} sent of ${size(whole)}`, el("span.share", {}, bar, `${size(bytesSent)} sent${saved}`));
  if (timings.firstContentMs !== undefined) fact("Timing", "From the start of the turn", `first content ${time(timings.firstContentMs)}`);
  return row;
}
