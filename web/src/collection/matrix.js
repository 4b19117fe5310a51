// The pairs of a collection as a matrix: the brighter a square, the more matches of the pair agree.

import { viridisText } from "../colour.js";
import { $, sized, token } from "../dom.js";

/** @typedef {import("./tab.js").ImageFacts} ImageFacts */

export class PairMatrix {
  /** @param {(a: ImageFacts, b: ImageFacts, stored: boolean) => void} open is told whether there are matches of the pair */
  constructor(open) {
    this.canvas = /** @type {HTMLCanvasElement} */ ($("matrix"));
    this.act = open;
    /** @type {ImageFacts[]} */
    this.images = [];
    /** @type {Map<string, number>} */
    this.counts = new Map();
    this.at = [-1, -1];
    this.most = 1;
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    addEventListener("theme", () => this.draw());
    this.canvas.addEventListener("pointermove", (event) => this.point(this.#cell(event.offsetX), this.#cell(event.offsetY)));
    this.canvas.addEventListener("click", () => this.choose());
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
  }

  /** @param {ImageFacts[]} images @param {any} told rows of two images' numbers, matches, and inliers, -1 where geometry was not estimated */
  open(images, told) {
    this.images = images;
    this.counts = new Map();
    for (const [a, b, matches, inliers] of told) {
      this.counts.set(`${a} ${b}`, inliers < 0 ? matches : inliers);
      this.counts.set(`${b} ${a}`, inliers < 0 ? matches : inliers);
    }
    this.most = Math.max(1, ...this.counts.values());
    this.draw();
  }

  /** @param {number} offset */
  #cell(offset) {
    return Math.min(this.images.length - 1, Math.max(0, Math.floor((offset / this.canvas.clientWidth) * this.images.length)));
  }

  /** @param {number} column @param {number} row */
  point(column, row) {
    this.at = [row, column];
    const [a, b] = [this.images[row], this.images[column]];
    const count = this.counts.get(`${row} ${column}`);
    const told = row === column ? "" : count === undefined ? ": not matched" : `: ${count.toLocaleString("en")} matches`;
    $("pair-text").textContent = row === column ? a?.name ?? "" : `${a.name} and ${b.name}${told}`;
    this.draw();
  }

  choose() {
    const [row, column] = this.at;
    if (row >= 0 && row !== column) this.act(this.images[row], this.images[column], this.counts.has(`${row} ${column}`));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[/** @type {"ArrowUp"} */ (event.key)];
    if (event.key === "Enter") this.choose();
    if (!step) return;
    event.preventDefault();
    const [row, column] = this.at.map((value, k) => Math.min(Math.max(value + step[k], 0), this.images.length - 1));
    this.point(column, row);
  }

  draw() {
    const { context, width, height } = sized(this.canvas);
    const count = this.images.length;
    if (!count || !width) return;
    const [wide, high] = [width / count, height / count];
    context.clearRect(0, 0, width, height);
    const most = Math.log1p(this.most);
    const gap = wide > 5 ? 1 : 0;
    for (const [key, matches] of this.counts) {
      const [row, column] = key.split(" ").map(Number);
      context.fillStyle = viridisText(Math.log1p(matches) / most);
      context.fillRect(column * wide, row * high, wide - gap, high - gap);
    }
    context.fillStyle = token("--edge-strong");
    for (let k = 0; k < count; k++) context.fillRect(k * wide, k * high, wide - gap, high - gap);
    const [row, column] = this.at;
    if (row < 0) return;
    context.strokeStyle = token("--accent");
    context.lineWidth = 2;
    context.strokeRect(column * wide - 1, row * high - 1, wide + 2 - gap, high + 2 - gap);
  }
}
