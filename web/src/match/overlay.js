// The second photograph over the first, brought into its frame: swipe, blink, blend, difference.

/** @typedef {import("./stage.js").Shown} Shown */

/**
 * @param {CanvasRenderingContext2D} context
 * @param {import("./pane.js").Pane} pane of the first photograph
 * @param {Shown} shown
 */
export function drawOverlay(context, pane, { photos, overlay }) {
  const over = /** @type {CanvasImageSource} */ (overlay.picture);
  pane.within(context, () => {
    if (overlay.mode === "difference") return difference(context, pane, photos[0].picture, over);
    pane.draw(context, photos[0].picture);
    if (overlay.mode === "swipe") return swipe(context, pane, over, overlay.amount);
    context.globalAlpha = overlay.mode === "blink" ? Math.round(overlay.amount) : overlay.amount;
    pane.draw(context, over);
    context.globalAlpha = 1;
  });
}

/** @param {CanvasRenderingContext2D} context @param {import("./pane.js").Pane} pane @param {CanvasImageSource} first @param {CanvasImageSource} over */
function difference(context, pane, first, over) {
  context.fillStyle = "black";
  const [x, y] = pane.toScreen(-0.5, -0.5);
  context.fillRect(x, y, pane.width * pane.scale, pane.height * pane.scale);
  pane.draw(context, first);
  context.globalCompositeOperation = "difference";
  pane.draw(context, over);
  context.globalCompositeOperation = "source-over";
}

/** @param {CanvasRenderingContext2D} context @param {import("./pane.js").Pane} pane @param {CanvasImageSource} over @param {number} share */
function swipe(context, pane, over, share) {
  const at = swipeAt(pane, share);
  const { y, height } = pane.box;
  context.save();
  context.beginPath();
  context.rect(at, y, 1e5, height);
  context.clip();
  pane.draw(context, over);
  context.restore();
  context.fillStyle = "white";
  context.shadowColor = "rgb(0 0 0 / 0.6)";
  context.shadowBlur = 6;
  context.fillRect(at - 1, y, 2, height);
  context.beginPath();
  context.arc(at, y + height / 2, 14, 0, 2 * Math.PI);
  context.fill();
  context.shadowBlur = 0;
  context.fillStyle = "#0e7490";
  context.beginPath();
  for (const side of [-1, 1]) {
    context.moveTo(at + side * 3, y + height / 2 - 5);
    context.lineTo(at + side * 9, y + height / 2);
    context.lineTo(at + side * 3, y + height / 2 + 5);
  }
  context.fill();
}

/** Where on the canvas the line of the swipe is. @param {import("./pane.js").Pane} pane @param {number} share */
export function swipeAt(pane, share) {
  const left = Math.max(pane.box.x, pane.toScreen(-0.5, 0)[0]);
  const right = Math.min(pane.box.x + pane.box.width, pane.toScreen(pane.width - 0.5, 0)[0]);
  return left + share * (right - left);
}

/** The share of a place. @param {import("./pane.js").Pane} pane @param {number} x */
export function swipeShare(pane, x) {
  const [left, right] = [swipeAt(pane, 0), swipeAt(pane, 1)];
  return Math.min(Math.max((x - left) / Math.max(1, right - left), 0), 1);
}
