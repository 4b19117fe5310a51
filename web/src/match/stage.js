// The canvas with both photographs and their matches.

import { viridisText } from "../colour.js";
import { sized, token } from "../dom.js";
import { drawOverlay } from "./overlay.js";
import { reaches } from "./matches.js";
import { arrange, Pane } from "./pane.js";

const GAP = 10;
const BINS = 24; // colours: all lines of one are a single path, which makes thousands of them quick

/** @typedef {import("./intake.js").Photo} Photo */
/** @typedef {import("./matches.js").Matches} Matches */
/** @typedef {{ mode: string, amount: number, picture: CanvasImageSource | null }} Overlay */

/**
 * What is shown. `least` is the least key of a match, `hovered` and `picked` are matches or -1, `partners` are the keypoints of
 * image 1 that a picked keypoint might be.
 * @typedef {{ photos: Photo[], matches: Matches | null, least: number, model: import("./matches.js").Model | null,
 *   inliers: boolean, outliers: boolean, keypoints: boolean, hovered: number, picked: number,
 *   partners: { x: number, y: number, probability: number }[], overlay: Overlay, brushing: boolean }} Shown
 */

export class Stage {
  /** @param {HTMLCanvasElement} canvas @param {Shown} shown */
  constructor(canvas, shown) {
    this.canvas = canvas;
    this.shown = shown;
    /** @type {Pane[]} */
    this.panes = [];
    this.asked = 0;
    /** How long the last drawing took, in milliseconds. */
    this.took = 0;
    new ResizeObserver(() => this.ask()).observe(canvas);
    addEventListener("theme", () => this.ask());
  }

  /** Take other photographs. */
  renew() {
    this.panes = this.shown.photos.map((photo) => new Pane(photo.width, photo.height));
    this.ask();
  }

  /** Draw before the next frame. */
  ask() {
    if (!this.asked) this.asked = requestAnimationFrame(() => this.draw());
  }

  get overlaid() {
    return this.shown.overlay.mode !== "off" && this.shown.overlay.picture !== null;
  }

  /** The pane at a place of the canvas. @param {number} x @param {number} y */
  paneAt(x, y) {
    return this.overlaid ? this.panes[0] : this.panes.find((pane) => pane.holds(x, y));
  }

  /** Whether a match is to be seen. @param {number} match */
  shows(match) {
    const { model, inliers, outliers } = this.shown;
    if (!reaches(this.shown, match)) return false;
    return !model?.ok || (model.inliers[match] ? inliers : outliers);
  }

  draw() {
    this.asked = 0;
    const start = performance.now();
    const { context, width, height } = sized(this.canvas);
    context.clearRect(0, 0, width, height);
    if (this.panes.length === 2 && width && height) {
      if (this.overlaid) {
        this.panes[0].place({ x: 0, y: 0, width, height });
        drawOverlay(context, this.panes[0], this.shown);
      } else {
        arrange(this.panes, width, height, GAP);
        this.paint(context);
      }
    }
    this.took = performance.now() - start;
    this.canvas.dataset.drawn = String(Number(this.canvas.dataset.drawn ?? 0) + 1);
    this.canvas.dataset.milliseconds = this.took.toFixed(1);
  }

  /** Photographs, masks, lines. @param {CanvasRenderingContext2D} context */
  paint(context) {
    const { photos, matches, keypoints, hovered, picked, brushing } = this.shown;
    this.panes.forEach((pane, k) => pane.within(context, () => {
      pane.draw(context, photos[k].picture);
      if (matches && !brushing) {
        context.fillStyle = "rgb(6 16 20 / 0.28)";
        const [x, y] = pane.toScreen(-0.5, -0.5);
        context.fillRect(x, y, pane.width * pane.scale, pane.height * pane.scale);
      }
      if (photos[k].mask) {
        context.globalAlpha = 0.55;
        pane.draw(context, /** @type {HTMLCanvasElement} */ (photos[k].mask));
        context.globalAlpha = 1;
      }
    }));
    if (!matches || brushing) return;
    if (keypoints) this.dots(context);
    const apart = hovered >= 0 || picked >= 0;
    this.lines(context, apart ? 0.16 : 0.85);
    if (picked >= 0) this.partners(context);
    for (const match of new Set([picked, hovered])) if (match >= 0) this.one(context, match);
  }

  /** All keypoints, in white. @param {CanvasRenderingContext2D} context */
  dots(context) {
    context.fillStyle = "rgb(255 255 255 / 0.75)";
    this.panes.forEach((pane, k) => pane.within(context, () => {
      const points = this.shown.matches?.all[k] ?? this.shown.matches?.points[k] ?? new Float32Array();
      for (let i = 0; i < points.length; i += 2) {
        const [x, y] = pane.toScreen(points[i], points[i + 1]);
        context.fillRect(x - 1, y - 1, 2, 2);
      }
    }));
  }

  /** The colour of each match, as a number of a list. @param {number} match */
  bin(match) {
    const { model, matches } = this.shown;
    if (model?.ok) return model.inliers[match] ? BINS + 1 : BINS;
    return Math.min(BINS - 1, Math.floor(/** @type {Matches} */ (matches).scores[match] * BINS));
  }

  colours() {
    return [...Array.from({ length: BINS }, (_, k) => viridisText((k + 0.5) / BINS)), token("--outlier"), token("--inlier")];
  }

  /** @param {CanvasRenderingContext2D} context @param {number} strength */
  lines(context, strength) {
    const matches = /** @type {Matches} */ (this.shown.matches);
    const [from, to] = this.panes;
    let count = 0;
    const paths = Array.from({ length: BINS + 2 }, () => new Path2D());
    const ends = Array.from({ length: BINS + 2 }, () => new Path2D());
    for (const match of matches.order) {
      if (!this.shows(match)) continue;
      const [x, y] = from.toScreen(...matches.place(0, match));
      const [u, v] = to.toScreen(...matches.place(1, match));
      const [seen, met] = [from.holds(x, y), to.holds(u, v)];
      const bin = this.bin(match);
      count += 1;
      if (seen && met) {
        paths[bin].moveTo(x, y);
        paths[bin].lineTo(u, v);
      }
      if (seen) ends[bin].rect(x - 1.5, y - 1.5, 3, 3);
      if (met) ends[bin].rect(u - 1.5, v - 1.5, 3, 3);
    }
    const faint = Math.min(1, Math.max(0.35, Math.sqrt(120 / Math.max(1, count)))); // many lines leave the photographs to be seen
    context.lineWidth = count > 200 ? 1 : 1.5;
    this.colours().forEach((colour, k) => {
      context.strokeStyle = context.fillStyle = colour;
      context.globalAlpha = strength * faint;
      context.stroke(paths[k]);
      context.globalAlpha = Math.min(1, strength * 1.3);
      context.fill(ends[k]);
    });
    context.globalAlpha = 1;
  }

  /** One match before all others. @param {CanvasRenderingContext2D} context @param {number} match */
  one(context, match) {
    const matches = /** @type {Matches} */ (this.shown.matches);
    const ends = this.panes.map((pane, k) => pane.toScreen(...matches.place(/** @type {0 | 1} */ (k), match)));
    stroke(context, ends, this.colours()[this.bin(match)], 2.5);
    this.panes.forEach((pane, k) => pane.within(context, () => ring(context, ends[k], this.colours()[this.bin(match)])));
  }

  /** What else a keypoint might be. @param {CanvasRenderingContext2D} context */
  partners(context) {
    const { matches, picked, partners } = this.shown;
    const from = this.panes[0].toScreen(.../** @type {Matches} */ (matches).place(0, picked));
    context.setLineDash([5, 4]);
    for (const { x, y, probability } of partners) {
      const to = this.panes[1].toScreen(x, y);
      stroke(context, [from, to], viridisText(probability), 1.5);
    }
    context.setLineDash([]);
    for (const { x, y, probability } of partners) {
      const to = this.panes[1].toScreen(x, y);
      this.panes[1].within(context, () => ring(context, to, viridisText(probability), 4));
    }
  }
}

/** @param {CanvasRenderingContext2D} context @param {number[][]} ends @param {string} colour @param {number} width */
function stroke(context, ends, colour, width) {
  context.beginPath();
  ends.forEach(([x, y]) => context.lineTo(x, y));
  context.lineWidth = width + 3;
  context.strokeStyle = "rgb(0 0 0 / 0.55)";
  context.stroke();
  context.lineWidth = width;
  context.strokeStyle = colour;
  context.stroke();
}

/** @param {CanvasRenderingContext2D} context @param {number[]} at @param {string} colour @param {number} [radius] */
function ring(context, [x, y], colour, radius = 6) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.lineWidth = 4.5;
  context.strokeStyle = "rgb(0 0 0 / 0.6)";
  context.stroke();
  context.lineWidth = 2;
  context.strokeStyle = colour;
  context.stroke();
}
