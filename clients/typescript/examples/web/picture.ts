/** An image that the model draws: the partial ones as they come, in one place, then the whole one. */
import { el } from "./dom.js";

/** By `output_format`. What a browser runs as a page is none of them: an <img> never runs scripts. */
const MIME: Record<string, string> = {
  png: "image/png",
  jpeg: "image/jpeg",
  webp: "image/webp",
  gif: "image/gif",
  svg: "image/svg+xml",
};

export class Picture {
  readonly element = el("figure.picture");
  readonly #image = el("img", { alt: "" });

  constructor() {
    this.#image.addEventListener("load", () => this.#shape(this.#image.naturalWidth, this.#image.naturalHeight));
    this.#image.addEventListener("error", () => this.#image.replaceWith(el("p.failed", {}, "This image cannot be shown.")));
  }

  /** `size` is the upstream's, for example "1024x1536": the place is kept before the image is there. */
  show(base64: string, format: string, size: string, alt: string): void {
    const [, width, height] = /^(\d{1,5})x(\d{1,5})$/.exec(size) ?? [];
    this.#shape(Number(width), Number(height));
    this.#image.alt = alt;
    this.#image.src = `data:${MIME[format] ?? MIME["png"]};base64,${base64}`;
    if (!this.element.hasChildNodes()) this.element.append(this.#image);
  }

  #shape(width: number, height: number): void {
    if (width > 0 && height > 0) this.#image.style.setProperty("--ratio", String(width / height));
  }
}
