// The chosen image: its photograph with the points that it sees, and what is known of it.

import * as api from "../api.js";
import { $, el, sized, token } from "../dom.js";
import { drawPatch } from "../match/picked.js";

const MOST_PATCHES = 9;

/** @typedef {import("./tab.js").ImageFacts} ImageFacts */

export class Selected {
  /** @param {import("./tab.js").CollectionTab} tab */
  constructor(tab) {
    this.tab = tab;
    /** @type {ImageFacts | null} */
    this.image = null;
    $("selected-close").addEventListener("click", () => tab.select(-1, false));
    $("selected-visit").addEventListener("click", () => this.image && tab.select(this.image.index, true));
  }

  /** A point: what surrounds it in each image that sees it. @param {{ point: number, error: number, images: { i: number, name: string, x: number, y: number }[] }} told */
  async showPoint(told) {
    this.image = null;
    $("selected-group").hidden = false;
    $("selected-name").textContent = `A point, seen by ${told.images.length} images`;
    $("selected-visit").hidden = $("selected-view").hidden = true;
    $("selected-facts").replaceChildren(el("dt", { textContent: "Reprojection error" }), el("dd", { textContent: `${told.error.toFixed(2)} px` }));
    const shown = told.images.slice(0, MOST_PATCHES).map((each) => ({ ...each, canvas: el("canvas", { role: "img", "aria-label": `The point in ${each.name}` }) }));
    $("selected-patches").replaceChildren(...shown.map(({ canvas, name }) => el("figure", {}, canvas, el("figcaption", { textContent: name }))));
    for (const { i, x, y, canvas } of shown) {
      const picture = await api.pictureOf(api.collectionPreviewUrl(this.tab.n, i, 4096)).then(createImageBitmap).catch(() => null);
      if (picture && canvas.isConnected) drawPatch(canvas, { picture, width: picture.width }, [x, y], token("--accent"));
    }
  }

  /** @param {ImageFacts | null} image */
  async show(image) {
    this.image = image;
    $("selected-group").hidden = !image;
    $("selected-patches").replaceChildren();
    if (!image) return;
    $("selected-name").textContent = image.name;
    $("selected-visit").hidden = !image.registered;
    const facts = [["Keypoints", image.keypoints.toLocaleString("en")], ["Matches", image.matches.toLocaleString("en")], ["Points it sees", image.registered ? image.points.toLocaleString("en") : ""], ["Not in the model", image.reason ?? ""]];
    $("selected-facts").replaceChildren(...facts.filter(([, value]) => value).flatMap(([name, value]) => [el("dt", { textContent: name }), el("dd", { textContent: value })]));
    const canvas = /** @type {HTMLCanvasElement} */ ($("selected-view"));
    canvas.hidden = true;
    try {
      const [picture, keypoints] = await Promise.all([api.pictureOf(api.collectionPreviewUrl(this.tab.n, image.index, 4096)).then(createImageBitmap), api.keypoints(this.tab.n, image.index).then(readKeypoints)]);
      if (this.image !== image) return;
      canvas.hidden = false;
      canvas.style.aspectRatio = `${picture.width} / ${picture.height}`;
      draw(canvas, picture, keypoints);
    } catch {
      canvas.hidden = true; // the images' folder was not given: names and numbers are all there is
    }
  }
}

/** Keypoints as `keypoints.bin` has them: float32 x y, then the int32 number of the point that each is, -1 for none. @param {ArrayBuffer} buffer */
function readKeypoints(buffer) {
  const count = Math.floor(buffer.byteLength / 12);
  return { places: new Float32Array(buffer.slice(0, 8 * count)), points: new Int32Array(buffer.slice(8 * count, 12 * count)) };
}

/** @param {HTMLCanvasElement} canvas @param {ImageBitmap} picture of the image's own size @param {{ places: Float32Array, points: Int32Array }} keypoints */
function draw(canvas, picture, { places, points }) {
  const { context, width, height } = sized(canvas);
  context.drawImage(picture, 0, 0, width, height);
  const scale = width / picture.width;
  context.fillStyle = token("--outlier");
  points.forEach((point, k) => {
    if (point >= 0) context.fillRect((places[2 * k] + 0.5) * scale - 1, (places[2 * k + 1] + 0.5) * scale - 1, 2.5, 2.5);
  });
}
