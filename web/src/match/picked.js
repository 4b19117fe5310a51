// One match in the side panel: its score, its places with what surrounds them, and what else it might be.

import { viridisText } from "../colour.js";
import { el, sized } from "../dom.js";

const AROUND = 32; // pixels of the photograph on each side of a keypoint

/** @typedef {import("./intake.js").Photo} Photo */
/** @typedef {import("./matches.js").Matches} Matches */
/** @typedef {{ keypoint: number, position: [number, number], probability: number }} Partner */

/** @param {[number, number]} place */
const placeText = ([x, y]) => `${x.toFixed(1)}, ${y.toFixed(1)}`;

/** What the tip at the pointer says. @param {Matches} matches @param {import("./matches.js").Model | null} model @param {number} match */
export function tipOf(matches, model, match) {
  const lines = [`A  ${placeText(matches.place(0, match))}`, `B  ${placeText(matches.place(1, match))}`];
  if (model?.ok) lines.push(`${model.errors[match].toFixed(2)} px from the model, ${model.inliers[match] ? "inlier" : "outlier"}`);
  else if (match >= matches.certain) lines.push("doubtful");
  return [el("strong", { textContent: `${(100 * matches.scores[match]).toFixed(0)} % ` }), ...lines.map((line) => el("div", { textContent: line }))];
}

/**
 * @param {HTMLElement} panel
 * @param {Photo[]} photos
 * @param {Matches} matches
 * @param {number} match
 */
export function showPicked(panel, photos, matches, match) {
  const score = matches.scores[match];
  const figures = photos.map((photo, k) => {
    const canvas = el("canvas", { width: 140, height: 140, role: "img", "aria-label": `What surrounds the keypoint in ${photo.name}` });
    return el("figure", {}, canvas, el("figcaption", { textContent: `${k ? "B" : "A"}  ${placeText(matches.place(k, match))}` }));
  });
  const partners = el("div", { class: "partner-box", "aria-live": "polite" }, el("p", { class: "note", textContent: "Asking what else it might be" }));
  panel.replaceChildren(
    el("div", { class: "picked-head" }, el("span", { textContent: match < matches.certain ? "Score" : "Score, doubtful" }), el("strong", { textContent: `${(100 * score).toFixed(1)} %` })),
    el("div", { class: "patches" }, ...figures),
    partners,
  );
  photos.forEach((photo, k) => drawPatch(/** @type {HTMLCanvasElement} */ (figures[k].firstElementChild), photo, matches.place(k, match), viridisText(score)));
  return partners;
}

/**
 * What surrounds a place of a photograph, with a cross.
 * @param {HTMLCanvasElement} canvas
 * @param {{ picture: ImageBitmap, width: number }} photo
 * @param {[number, number]} place
 * @param {string} colour
 */
export function drawPatch(canvas, photo, [x, y], colour) {
  const { context, width } = sized(canvas);
  const scale = photo.picture.width / photo.width;
  context.drawImage(photo.picture, (x + 0.5 - AROUND) * scale, (y + 0.5 - AROUND) * scale, 2 * AROUND * scale, 2 * AROUND * scale, 0, 0, width, width);
  context.strokeStyle = colour;
  context.lineWidth = 2;
  const [middle, near, far] = [width / 2, width * 0.06, width * 0.16];
  for (const [u, v] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    context.beginPath();
    context.moveTo(middle + u * near, middle + v * near);
    context.lineTo(middle + u * far, middle + v * far);
    context.stroke();
  }
}

/**
 * List the likeliest partners.
 * @param {HTMLElement} box
 * @param {{ partners: Partner[], none: number }} told
 * @param {(partner: Partner) => void} look
 */
export function showPartners(box, told, look) {
  const rows = told.partners.map((partner) => {
    const meter = el("meter", { min: 0, max: 1, value: partner.probability, "aria-hidden": "true" });
    const button = el("button", { type: "button" }, el("span", { textContent: `at ${placeText(partner.position)}` }), el("span", { textContent: percent(partner.probability) }), meter);
    button.addEventListener("click", () => look(partner));
    return el("li", {}, button);
  });
  const title = el("p", { class: "note", textContent: "In B it is, most probably" });
  const none = el("p", { class: "note", textContent: `or not to be seen: ${percent(told.none)}` });
  box.replaceChildren(title, el("ul", { class: "partners" }, ...rows), none);
}

/** @param {number} share */
const percent = (share) => (share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);
