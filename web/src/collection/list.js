// The images of a collection, with what happened to each.

import * as api from "../api.js";
import { $, el, plural } from "../dom.js";

/** @typedef {import("./tab.js").ImageFacts} ImageFacts */

const MOST = 400; // rows at once; the search finds the others

export class ImageList {
  /** @param {(image: number) => void} pick */
  constructor(pick) {
    this.pick = pick;
    this.n = -1;
    this.previews = true;
    /** @type {ImageFacts[]} */
    this.images = [];
    this.search = /** @type {HTMLInputElement} */ ($("image-search"));
    this.search.addEventListener("input", () => this.fill());
  }

  /** @param {number} n of the collection @param {ImageFacts[]} images @param {boolean} previews whether there are pictures of them */
  open(n, images, previews) {
    Object.assign(this, { n, images, previews });
    this.fill();
  }

  fill() {
    const wanted = this.search.value.toLowerCase();
    const found = this.images.filter((image) => image.name.toLowerCase().includes(wanted));
    const rows = found.slice(0, MOST).map((image) => el("li", {}, this.#row(image)));
    if (found.length > MOST) rows.push(el("li", { class: "note", textContent: `and ${found.length - MOST} more: search for them` }));
    if (!found.length) rows.push(el("li", { class: "note", textContent: "No image is called so." }));
    $("images").replaceChildren(...rows);
  }

  /** @param {ImageFacts} image */
  #row(image) {
    const what = image.registered ? `sees ${plural(image.points, "point")}` : image.reason;
    const picture = el("img", { ...(this.previews ? { src: api.collectionPreviewUrl(this.n, image.index, 128) } : {}), alt: "", loading: "lazy", width: 56, height: 42 });
    const words = el("span", {}, el("span", { class: "name", textContent: image.name }), el("br"), el("span", { class: "why", textContent: what }));
    return el("button", { type: "button", "aria-pressed": "false", "data-image": image.index, "data-tone": image.registered ? "good" : "warn", onclick: () => this.pick(image.index) },
      picture, words, el("span", { class: "dot", title: image.registered ? "in the model" : "not in the model" }));
  }

  /** @param {number} image that is chosen */
  mark(image) {
    for (const row of $("images").querySelectorAll("button")) {
      const chosen = Number(row.dataset.image) === image;
      row.setAttribute("aria-pressed", String(chosen));
      if (chosen) row.scrollIntoView({ block: "nearest" });
    }
  }
}
