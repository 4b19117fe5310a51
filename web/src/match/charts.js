// Two small histograms: of scores above their slider, and of distances to the model.

import { viridisText } from "../colour.js";
import { sized, token } from "../dom.js";
import { DOUBTFUL_SHARE } from "./matches.js";

/** @typedef {import("./matches.js").Matches} Matches */

const BARS = 50;

/**
 * Scores from 1 on the left, as the slider has them; those that are not shown are faint.
 * @param {HTMLCanvasElement} canvas
 * @param {Matches} matches
 * @param {number} least key that is shown
 * @param {number} span of the slider
 */
export function drawScores(canvas, matches, least, span) {
  const bars = new Float64Array(BARS);
  const sums = new Float64Array(BARS);
  matches.keys.forEach((key, match) => {
    const bar = Math.min(BARS - 1, Math.floor(((1 - key) / span) * BARS));
    bars[bar] += 1;
    sums[bar] += matches.scores[match];
  });
  const faint = token("--edge");
  drawBars(canvas, bars, (bar) => (1 - (bar * span) / BARS < least ? faint : viridisText(sums[bar] / bars[bar])));
}

/**
 * Distances to a model up to three thresholds.
 * @param {HTMLCanvasElement} canvas
 * @param {import("./matches.js").Model} model
 * @param {(match: number) => boolean} shown
 */
export function drawErrors(canvas, model, shown) {
  const bars = new Float64Array(BARS);
  const most = 3 * model.threshold;
  model.errors.forEach((error, match) => {
    if (shown(match)) bars[Math.min(BARS - 1, Math.floor((error / most) * BARS))] += 1;
  });
  const [inlier, outlier] = [token("--inlier"), token("--outlier")];
  drawBars(canvas, bars, (bar) => (bar < BARS / 3 ? inlier : outlier));
}

/** @param {HTMLCanvasElement} canvas @param {Float64Array} bars @param {(bar: number) => string} colour */
function drawBars(canvas, bars, colour) {
  const { context, width, height } = sized(canvas);
  context.clearRect(0, 0, width, height);
  const most = Math.sqrt(Math.max(1, ...bars)); // roots, so that few are seen beside many
  const wide = width / bars.length;
  bars.forEach((count, bar) => {
    if (!count) return;
    const high = Math.max(2, (Math.sqrt(count) / most) * (height - 2));
    context.fillStyle = colour(bar);
    context.fillRect(bar * wide + 0.5, height - high, Math.max(1, wide - 1), high);
  });
}

/** The most that the slider reaches. @param {Matches} matches */
export function sliderSpan(matches) {
  return matches.count > matches.certain ? 1 + DOUBTFUL_SHARE : 1;
}
