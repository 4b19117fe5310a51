// Masks by brush: what is painted has no keypoints.

import { $, token } from "../dom.js";

const SIDE = 1024; // pixels of the longer side of what is painted; the mask is sent in the photograph's own size

/** @typedef {import("./intake.js").Photo} Photo */
/** @typedef {import("./tab.js").Tab} Tab */

/**
 * Paint from one place of the canvas to another.
 * @param {Photo} photo
 * @param {import("./pane.js").Pane} pane
 * @param {number[]} from in CSS pixels
 * @param {number[]} to
 * @param {number} size of the brush in CSS pixels
 * @param {boolean} erase
 */
function paintMask(photo, pane, from, to, size, erase) {
  const scale = SIDE / Math.max(photo.width, photo.height);
  photo.mask ??= Object.assign(document.createElement("canvas"), { width: Math.round(photo.width * scale), height: Math.round(photo.height * scale) });
  const context = /** @type {CanvasRenderingContext2D} */ (photo.mask.getContext("2d"));
  const [[x, y], [u, v]] = [from, to].map((p) => pane.toImage(p[0], p[1]).map((value) => (value + 0.5) * scale));
  context.globalCompositeOperation = erase ? "destination-out" : "source-over";
  context.strokeStyle = token("--mask");
  context.lineCap = "round";
  context.lineWidth = (size / pane.scale) * scale;
  context.beginPath();
  context.moveTo(x, y);
  context.lineTo(u + 0.01, v);
  context.stroke();
}

/**
 * The mask as the service reads it: of the photograph's size, black where there shall be no keypoints.
 * @param {Photo} photo
 * @returns {Promise<Blob | null>} a PNG; null where nothing is painted
 */
export async function maskOf(photo) {
  if (!photo.mask) return null;
  const canvas = new OffscreenCanvas(photo.width, photo.height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.drawImage(photo.mask, 0, 0, photo.width, photo.height);
  const pixels = context.getImageData(0, 0, photo.width, photo.height);
  let painted = false;
  for (let k = 0; k < pixels.data.length; k += 4) {
    const covered = pixels.data[k + 3] > 127;
    painted ||= covered;
    pixels.data[k] = pixels.data[k + 1] = pixels.data[k + 2] = covered ? 0 : 255;
    pixels.data[k + 3] = 255;
  }
  if (!painted) return null;
  context.putImageData(pixels, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

/** Paint on one of the photographs, from one place of the canvas to another. @param {Tab} tab @param {number} pane @param {number[]} from @param {number[]} to */
export function paint({ shown, stage }, pane, from, to) {
  const [size, erase] = ["brush-size", "brush-erase"].map((id) => /** @type {HTMLInputElement} */ ($(id)));
  paintMask(shown.photos[pane], stage.panes[pane], from, to, Number(size.value), erase.checked);
  /** @type {HTMLButtonElement} */ ($("brush-clear")).disabled = false;
  stage.ask();
}

/** @param {Tab} tab @param {boolean} on */
function brushing({ shown, stage, canvas }, on) {
  shown.brushing = on;
  $("brush").setAttribute("aria-pressed", String(on));
  $("brush-more").hidden = !on;
  canvas.dataset.mode = on ? "brush" : "";
  stage.ask();
}

/** Put the brush away; what is painted stays. @param {Tab} tab */
export function stopBrush(tab) {
  brushing(tab, false);
}

/** The buttons and sliders of the brush. @param {Tab} tab */
export function startBrush(tab) {
  $("brush").addEventListener("click", () => brushing(tab, !tab.shown.brushing));
  $("brush-clear").addEventListener("click", () => {
    tab.shown.photos.forEach((photo) => (photo.mask = null));
    /** @type {HTMLButtonElement} */ ($("brush-clear")).disabled = true;
    tab.stage.ask();
  });
  const size = /** @type {HTMLInputElement} */ ($("brush-size"));
  const tell = () => (/** @type {HTMLElement} */ (size.nextElementSibling).textContent = `${size.value} px`);
  size.addEventListener("input", tell);
  tell();
}
